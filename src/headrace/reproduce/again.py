"""A past run once more: its code in a worktree, its config and data as recorded, without the cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from headrace.adapters.git_state import checked_out, git_root
from headrace.adapters.machine_state import read_machine_state
from headrace.adapters.record_files import RunRecords
from headrace.adapters.source_files import Sources
from headrace.core.key import python_version
from headrace.core.ports import LakeStore
from headrace.core.record import RunRecord, parse_record
from headrace.errors import CannotReproduce, LakeError, StageError
from headrace.project import build_lake
from headrace.reproduce.environment import (
    code_differences,
    environment_differences,
    find_redacted,
    input_differences,
)
from headrace.reproduce.verdict import Verdict, compare_artifacts

RERUN = Path(__file__).with_name("rerun.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Which run is to be reproduced, and how far numbers may be apart."""

    root: Path  # of headrace's state
    record: RunRecord
    tolerance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it. `causes` names recorded inputs that differ, where an artifact does."""

    verdicts: list[Verdict]
    differences: list[str]  # of environment and machine, known beforehand
    origin: str | None  # the first stage whose output differs
    causes: list[str]

    @property
    def reproduced(self) -> bool:
        return all(verdict.kind in ("identical", "equal") for verdict in self.verdicts)


def reproduce(request: Request, tell: Callable[[str], None]) -> Outcome:
    """Run again and compare. Nothing is published, and the new run's branch goes again.

    Raises `CannotReproduce` naming what is missing, before anything runs.
    """
    record = request.record
    _refuse(record)
    lake = build_lake(record.config["lake"])
    _check_data(record, lake)
    differences = environment_differences(record, read_machine_state(), _version)
    for difference in differences:
        tell(f"differs from the run: {difference}")
    with tempfile.TemporaryDirectory(prefix="headrace-") as name:
        folder = Path(name)
        with _code(record, request.root, folder / "code") as paths:
            now = run_config(_config(record, folder), folder, paths)
        try:
            verdicts = compare_artifacts(lake, record, now, request.tolerance)
        finally:
            drop_branch(lake, now.branch)
    origin = next((v.stage for v in verdicts if v.kind in ("different", "missing")), None)
    causes = [] if origin is None else _causes(record, now, origin, differences)
    return Outcome(verdicts=verdicts, differences=differences, origin=origin, causes=causes)


def _refuse(record: RunRecord) -> None:
    if record.state not in ("succeeded", "rejected"):
        raise CannotReproduce(f"run {record.id} {record.state}: there is nothing whole to compare with")
    if record.config.get("only"):
        raise CannotReproduce(
            f"run {record.id} was one stage alone (only={record.config['only']}): reproduce the whole one"
        )
    if hidden := find_redacted(record.config):
        raise CannotReproduce(
            f"run {record.id} used secrets, which no record holds: {', '.join(hidden)}; run it with "
            "python -m flows.train and cache=false, then compare: headrace diff"
        )


def _check_data(record: RunRecord, lake: LakeStore) -> None:
    """Raise `CannotReproduce` with every source that is not what the run read."""
    problems: list[str] = []
    try:
        lake.resolve(record.source["commit"])
    except LakeError as error:
        raise CannotReproduce(f"the data is gone: {error}") from error
    sources = Sources(lambda kind, path, compute: compute(), lake, record.source["commit"])
    for stage in record.stages:
        for argument, told in stage.sources.items():
            try:
                if sources.digest(told["uri"]) != stage.inputs[argument]:
                    problems.append(f"{told['uri']} is not what {stage.name} read then")
            except StageError as error:
                problems.append(str(error))
    if problems:
        raise CannotReproduce("\n  ".join(["the data is not there as the run read it:", *problems]))


@contextmanager
def _code(record: RunRecord, root: Path, target: Path) -> Iterator[list[Path]]:
    """Give the folders in which the run's code is found: of a worktree, or here where there is no git."""
    top = git_root()
    if not record.git.get("commit") or top is None:
        yield [Path.cwd()]
        return
    here = Path.cwd().resolve().relative_to(top.resolve())
    with checked_out(record.git, RunRecords(root / "runs").folder(record.id), target) as tree:
        yield [tree / here, tree / here / "src"]


def run_config(
    config: Mapping[str, Any], folder: Path, paths: list[Path], environ: Mapping[str, str] | None = None
) -> RunRecord:
    """Run a config in a process of its own that finds code in `paths` first; return its record."""
    folder.mkdir(parents=True, exist_ok=True)
    spec, made = folder / "spec.json", folder / "record.json"
    spec.write_text(json.dumps({"config": config, "record": str(made)}), encoding="utf-8")
    before = os.environ.get("PYTHONPATH")
    places = [str(path) for path in paths if path.is_dir()] + ([before] if before else [])
    done = subprocess.run(
        [sys.executable, "-P", str(RERUN), str(spec)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places), **(environ or {})},
        check=False,
    )
    if not made.is_file():
        raise CannotReproduce(f"the run did not get as far as a record; it left with {done.returncode}")
    return parse_record(json.loads(made.read_bytes()))


def pinned(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a config with which nothing is published, cached, tracked or sent to a server."""
    return {
        **deepcopy(dict(config)),
        "headrace_dir": str(folder / "state"),
        "publish": False,
        "cache": False,
        "force": [],
        "against": None,
        "tracker": {"_target_": "headrace.adapters.tracker_none.NoTracker"},
        "runtime": {"kind": "inline"},
    }


def _config(record: RunRecord, folder: Path) -> dict[str, Any]:
    """Return the recorded config, pinned to the run's data."""
    config = pinned(record.config, folder)
    config["source_ref"] = record.source.get("base") or record.source["commit"]
    if (config.get("dataset") or {}).get("at") is not None:
        config["dataset"]["at"] = record.source["commit"]
    return config


def drop_branch(lake: LakeStore, branch: str) -> None:
    """Delete the branch of a run that only was to be compared."""
    try:
        lake.delete_branch(branch)
    except LakeError:
        return  # the run had none, or `headrace lake gc` takes it one day


def _causes(before: RunRecord, now: RunRecord, origin: str, differences: list[str]) -> list[str]:
    found = [*input_differences(before, now, origin), *code_differences(before, now), *differences]
    if before.seed != now.seed:
        found.append(f"seed {before.seed} → {now.seed}")
    return found


def _version(package: str) -> str | None:
    if package == "python":
        return python_version()
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
