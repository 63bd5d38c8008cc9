"""The one step over lake, W&B and services, which the next command finishes wherever it was killed.

The commit of the registry is the truth: before it nothing has happened, and after it the rest follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headrace.adapters.record_files import RunRecords
from headrace.core.artifact import Artifact
from headrace.core.ports import LakeStore
from headrace.core.record import RunRecord
from headrace.deploy.journal import Deployment, Journal, State
from headrace.deploy.late import keep_published, publish_late
from headrace.deploy.mirror import WandbMirror
from headrace.deploy.services import Followed, Services
from headrace.errors import AliasMoved, DeploymentUndone, DeploymentUnfinished, LakeError
from headrace.registry import (
    Move,
    Moved,
    find_move,
    move_alias,
    read_current,
    read_registry,
    remove_alias,
)

Tell = Callable[[str, str], None]
"""Says what was done: to what (lake, W&B, service, alias), and what."""


def _nothing(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Carries deployments out, and finishes those that were left.

    `tell` is told of each part as it is done. `at` is called at every point at which a kill leaves
    something else behind, with the point's name; tests kill there.
    """

    lake: LakeStore
    journal: Journal
    services: Services
    mirror: WandbMirror
    records: RunRecords
    wait_seconds: float
    tell: Tell
    at: Callable[[str], None] = _nothing

    def carry_out(
        self, deployment: Deployment, record: RunRecord | None = None, package: Artifact | None = None
    ) -> Deployment:
        """Do all of it; `record` and `package` are those of a run that is still to be published.

        Raises `AliasMoved` where the alias moved since this was decided, and nothing is done;
        `DeploymentUndone` where a service refuses, `DeploymentUnfinished` where one does not follow yet.
        """
        self.journal.write(deployment)
        self.at("planned")
        try:
            moved = self._move(deployment, record, package)
        except AliasMoved:
            self.journal.forget(deployment.id)
            raise
        except Exception:
            if self._not_there(deployment):  # a lost connection may hide that it was done
                self.journal.forget(deployment.id)
            raise
        return self.follow(self._in_lake(deployment, moved), self.wait_seconds)

    # --- the parts ----------------------------------------------------------------------------------

    def _move(self, one: Deployment, record: RunRecord | None, package: Artifact | None) -> Moved:
        if record is not None and package is not None:
            return self._publish(one, record, package)
        if one.to is None:
            return remove_alias(
                self.lake, one.model, one.alias, deployment=one.id, forced=one.forced, expect=one.start
            )
        return move_alias(
            self.lake, one.model, one.alias, one.to, why=one.why, run=one.run, forced=one.forced,
            share=one.share, deployment=one.id, checks=one.checks, expect=one.start, clears=one.clears,
        )  # fmt: skip

    def _publish(self, one: Deployment, record: RunRecord, package: Artifact) -> Moved:
        move = Move(
            alias=one.alias, why=one.why, run=record.id, forced=one.forced, share=one.share,
            deployment=one.id, checks=one.checks,
        )  # fmt: skip
        outcome = publish_late(self.lake, record, one.model, package, move, one.start)
        if outcome.already is not None:  # somebody published the same package meanwhile
            there = replace(one, to=int(outcome.already["version"]))
            return self._move(there, None, None)
        assert outcome.new is not None
        found = find_move(read_registry(self.lake, outcome.new["commit"], one.model), one.id)
        assert found is not None  # it is in that very commit
        return Moved(commit=outcome.new["commit"], entry=found)

    def _not_there(self, one: Deployment) -> bool:
        try:
            return find_move(read_current(self.lake, one.model)[1], one.id) is None
        except Exception:  # the lake does not answer: the next command finds out
            return False

    def _in_lake(self, one: Deployment, moved: Moved) -> Deployment:
        self.at("moved")
        done = replace(one, state="lake", to=moved.entry["to"])
        self.journal.write(done)
        if done.publishes:
            self.keep_published_as(done, moved.commit)
        self.tell("alias", told(done))
        self.tell("lake", f"commit {moved.commit[:12]}")
        self.at("lake")
        return done

    def keep_published_as(self, one: Deployment, commit: str) -> None:
        """Let the record of a run say which version it became, by which commit."""
        about = {"commit": commit, "model": one.model, "version": one.to, "alias": one.alias}
        keep_published(self.records, str(one.run), about)

    def follow(self, one: Deployment, seconds: float) -> Deployment:
        """Let W&B and the services follow a move that is in the lake; raises as `carry_out` does."""
        self.tell_wandb(one)
        self.at("told")
        done = replace(one, state="wandb")
        self.journal.write(done)
        self.at("wandb")
        followed = self.services.wait(one.model, one.alias, one.to, seconds, self._saw(one))
        if followed.refused is not None:
            return self._undo(done, followed.refused)
        if followed.late:
            self._tell_late(done, followed)
        self.tell("service", _followed(followed, one))
        self.journal.write(replace(done, state="service"))
        self.at("service")
        return self.end(done, "done")

    def _tell_late(self, one: Deployment, followed: Followed) -> None:
        late = ", ".join(followed.late)
        raise DeploymentUnfinished(
            f"not followed yet by {late} after {self.wait_seconds:g} s: {one.model}@{one.alias} names "
            f"{_version(one.to)}, in the lake too; the next flows.deploy looks again, or take it back"
        )

    def tell_wandb(self, one: Deployment) -> None:
        """Let W&B's aliases be what the lake's are by now."""
        _, registry = read_current(self.lake, one.model)
        lines = [self.mirror.follow(registry, one.alias, one.to if one.to is not None else one.start)]
        for alias in one.clears:
            entry = next((e for e in registry.get("history", ()) if _clears(e, one, alias)), None)
            lines.append("" if entry is None else self.mirror.follow(registry, alias, entry["from"]))
        for line in filter(None, lines):
            self.tell("W&B", line)

    def _saw(self, one: Deployment) -> Callable[[str], bool]:
        """Return what tells whether this deployment is in a commit that a service looked at."""
        known: dict[str, bool] = {}

        def saw(commit: str) -> bool:
            if commit not in known:
                try:
                    found = find_move(read_registry(self.lake, commit, one.model), one.id)
                except LakeError:  # a worker that has not looked yet names none
                    return False
                known[commit] = found is not None
            return known[commit]

        return saw

    # --- going back ---------------------------------------------------------------------------------

    def _undo(self, one: Deployment, why: str) -> Deployment:
        """Take the alias back in the lake and in W&B; then raise `DeploymentUndone`."""
        try:
            if one.start is None:
                remove_alias(self.lake, one.model, one.alias, why="undo", deployment=one.id, expect=one.to)
            else:
                move_alias(
                    self.lake, one.model, one.alias, one.start, why="undo",
                    share=one.share_before, deployment=one.id, expect=one.to,
                )  # fmt: skip
        except AliasMoved as moved:
            self.end(one, "undone", f"{why}; {moved}")
            raise DeploymentUndone(f"refused by {why}\n{moved}") from moved
        self.at("taken back")
        self.finish_undo(one, why)
        raise DeploymentUndone(
            f"refused by {why}\n{one.model}@{one.alias} is {_version(one.start)} again, as before"
        )

    def finish_undo(self, one: Deployment, why: str) -> Deployment:
        """Let W&B follow an alias that went back, and those that came back with it."""
        _, registry = read_current(self.lake, one.model)
        for alias in (one.alias, *one.clears):
            if line := self.mirror.follow(registry, alias, one.to if alias == one.alias else None):
                self.tell("W&B", line)
        self.at("undone")
        return self.end(one, "undone", why)

    def end(self, one: Deployment, state: State, said: str = "") -> Deployment:
        """Write down that a deployment has ended."""
        ended = replace(one, state=state, said=said)
        self.journal.write(ended)
        return ended


def _clears(entry: Mapping[str, Any], one: Deployment, alias: str) -> bool:
    return bool(entry.get("deployment") == one.id and entry["alias"] == alias and entry["to"] is None)


def told(one: Deployment) -> str:
    """Say in a line what moves from which version to which."""
    to = "a new version" if one.publishes and one.to is None else _version(one.to)
    share = f", {one.share:.0%} of the traffic" if one.share is not None else ""
    by = f"  (run {one.run}{share})" if one.run else share
    return f"{one.model}@{one.alias}: {_version(one.start)} → {to}{by}"


def _version(number: int | None) -> str:
    return "nothing" if number is None else f"version {number}"


def _followed(followed: Followed, one: Deployment) -> str:
    if not followed.urls:
        return "none is running here that answers by it"
    many = f"{followed.workers} worker{'s' if followed.workers != 1 else ''}"
    return f"{many} of {', '.join(followed.urls)}: {_version(one.to)}"


def folder_of(root: Path) -> Path:
    """Return where the journal of a project lies."""
    return root / "deployments"
