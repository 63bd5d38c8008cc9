"""`headrace lake gc`: which branches are collected, and which are kept and why."""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from headrace.commands.lake_refs import COLLECTED, PIN, last_commits, pin_of
from headrace.commands.lake_running import RunningRuns
from headrace.commands.screen import Answer, Screen, age, iso, plural, short, size
from headrace.core.ports import Branch, GcReport
from headrace.project import Project

_STARTED = re.compile(r"(?<![0-9])([0-9]{8}-[0-9]{6})(?![0-9])")

Verdict = Literal["old", "pinned", "running", "young", "moved"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A branch, the time of its last sign of life, and what is to become of it."""

    branch: Branch
    time: float
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        return {"name": self.branch.name, "commit": self.branch.commit, "time": iso(self.time)}


def gc(project: Project, arguments: argparse.Namespace) -> Answer:
    """Delete branches that are past their time, and the bytes that nothing reaches then."""
    now = time.time()
    judged = judge_branches(project, arguments.older_than, now, arguments.prefix)
    old = [item.branch for item in judged if item.verdict == "old"]
    report = project.lake.gc(old, dry_run=arguments.dry_run)
    names = set(report.branches)
    gone = [item for item in judged if item.branch.name in names]
    kept = [item for item in judged if item.branch.name not in names]

    def lines(screen: Screen) -> Iterator[str]:
        verb = "would delete" if arguments.dry_run else "deleted"
        for item in gone:
            head = f"{verb} branch  {short(item.branch.commit)}  {age(now - item.time):>6}  "
            yield screen.fit(head, item.branch.name)
        branches = plural(len(gone), "branch", "branches")
        yield f"{verb} {branches}, {plural(report.objects, 'object')}, {size(report.bytes)}"
        if kept:
            reasons = _told_reasons(kept, arguments.older_than)
            yield f"kept {plural(len(kept), 'branch', 'branches')}: {reasons}"
        yield from screen.wrap(report.kept_by_server)

    return Answer(_json(arguments.dry_run, report, gone, kept), lines)


def judge_branches(project: Project, older_than: int, now: float, prefix: str = "") -> list[Judged]:
    """Judge each branch of a run or an import: `old` ones are to go, the others say why they stay.

    A run that goes on is seen on this machine only. On others its last commit and the time in its
    name count, so the time to live must be longer than the longest stage.
    """
    lake = project.lake
    branches = [
        branch for start in COLLECTED for branch in lake.branches(start) if branch.name.startswith(prefix)
    ]
    pins = {found.name for found in lake.tags(PIN)}
    commits = last_commits(lake, branches)
    running = RunningRuns(project.root)

    def judge(branch: Branch) -> Judged:
        alive = max(commits[branch.commit].time, _started(branch.name))
        if pin_of(branch.name) in pins:
            return Judged(branch, alive, "pinned")
        if running.need(branch.name):
            return Judged(branch, alive, "running")
        return Judged(branch, alive, "old" if now - alive >= older_than else "young")

    return [judge(branch) for branch in branches if branch.commit in commits]


def _started(name: str) -> float:
    """Return the time in a branch's name, 0 where there is none.

    A branch begins at a commit of `main` that may be old: until its first own commit the name counts.
    """
    found = _STARTED.search(name)
    try:
        return datetime.strptime(found[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).timestamp() if found else 0.0
    except ValueError:
        return 0.0


def _json(
    dry_run: bool, report: GcReport, gone: Sequence[Judged], kept: Sequence[Judged]
) -> Mapping[str, Any]:
    return {
        "dry_run": dry_run,
        "branches": [item.to_json() for item in gone],
        "objects": report.objects,
        "bytes": report.bytes,
        "digests": list(report.digests),
        "kept": [{**item.to_json(), "why": _why(item)} for item in kept],
        "kept_by_server": report.kept_by_server,
    }


def _why(item: Judged) -> Verdict:
    """An old branch that the lake left alone has got a commit since it was judged."""
    return "moved" if item.verdict == "old" else item.verdict


def _told_reasons(kept: Sequence[Judged], older_than: int) -> str:
    counts = Counter(_why(item) for item in kept)
    words: dict[Verdict, str] = {
        "pinned": "pinned",
        "running": "of runs that go on",
        "young": f"younger than {age(older_than)}",
        "moved": "changed meanwhile",
    }
    return ", ".join(f"{counts[verdict]} {word}" for verdict, word in words.items() if counts[verdict])
