"""Every error that headrace raises on purpose: what failed, where, what was found, what to type next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

SHOWN_AT_MOST = 20


class HeadraceError(Exception):
    """Base of all headrace errors; `exit_code` is what the shell sees."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a config: where, what, and what to type instead."""

    where: str
    found: str
    hint: str = ""

    def __str__(self) -> str:
        line = f"{self.where}: {self.found}" if self.where else self.found
        return f"{line}\n      {self.hint}" if self.hint else line


class ConfigError(HeadraceError):
    """The config cannot run. Holds every problem found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(dict.fromkeys(problems))
        count = len(self.problems)
        head = "1 problem in the config" if count == 1 else f"{count} problems in the config"
        lines = [f"  - {problem}" for problem in self.problems[:SHOWN_AT_MOST]]
        if count > SHOWN_AT_MOST:
            lines.append(f"  … and {count - SHOWN_AT_MOST} more")
        super().__init__("\n".join([head, *lines]))

    @classmethod
    def one(cls, where: str, found: str, hint: str = "") -> ConfigError:
        return cls([Problem(where, found, hint)])


class StageError(HeadraceError):
    """A stage cannot do its work on this data; the message names rows, columns or files."""


class SourceNotFound(StageError):
    """An external input is not there. `found` says what is missing, `hint` what is there instead.

    `{}` in the hint stands for the key that a command would set, such as `dataset.source`.
    """

    def __init__(self, found: str, hint: str = "") -> None:
        self.found, self.hint = found, hint
        super().__init__(f"{found}; {hint.replace('{}=', '')}" if hint else found)

    def as_problem(self, where: str) -> Problem:
        """Say it as what is wrong with a config, at the key that names the source."""
        return Problem(where, self.found, self.hint.replace("{}=", f"{where}="))


class StageFailed(HeadraceError):
    """A stage of a run failed; `stage` names it and the cause is chained."""

    def __init__(self, stage: str, cause: BaseException) -> None:
        self.stage = stage
        what = str(cause) if isinstance(cause, HeadraceError) else f"{type(cause).__name__}: {cause}"
        super().__init__(f"stage {stage} failed: {what}")


class GateRejected(HeadraceError):
    """The run works, but its gate says no: nothing is published."""

    exit_code = 3

    @classmethod
    def by(cls, failed: Iterable[str]) -> GateRejected:
        """Tell each check that failed, in a line that says what was found and what was wanted."""
        return cls("\n".join(["the gate says no, nothing is published", *(f"  - {line}" for line in failed)]))


class Pruned(HeadraceError):
    """A search gave a stage up by its interim scores. No failure: nothing is to be tried again."""

    @classmethod
    def at(cls, stage: str, step: int) -> Pruned:
        """Name the stage and the step whose score decided."""
        return cls(f"stage {stage} pruned at step {step}: the search sees no hope in it")


class RunInterrupted(HeadraceError):
    """Someone stopped the run; finished stages are kept."""

    exit_code = 130


class RunNotFound(HeadraceError):
    """No run, or no stage of it, of that name is recorded here."""


class SweepNotFound(HeadraceError):
    """No sweep of that name, or no job with a result in it, is recorded here."""


class ModelNotFound(HeadraceError):
    """The lake has no such model, or the model no such version or alias."""


class AliasMoved(HeadraceError):
    """An alias names another version by now than when something was decided about it."""

    @classmethod
    def by(cls, model: str, alias: str, expected: int | None, found: int | None) -> AliasMoved:
        before, now = ("nothing" if one is None else f"version {one}" for one in (expected, found))
        return cls(f"{model}@{alias} names {now} by now, not {before}: somebody moved it; try again")


class DeploymentUndone(HeadraceError):
    """A service refused the version, so the alias is back where it was."""


class DeploymentUnfinished(HeadraceError):
    """The alias moved, and not every service follows yet; the next deployment looks again."""


class PackageRefused(HeadraceError):
    """A package is not what was published, or holds what is not restored; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """What is wrong in one place of a request; `row` counts from 0, None where it is no row's fault."""

    row: int | None
    column: str | None
    found: str
    wanted: str

    def __str__(self) -> str:
        places = [
            f"row {self.row}" if self.row is not None else "",
            f"column {self.column}" if self.column else "",
        ]
        where = ", ".join(place for place in places if place)
        return (
            f"{where}: found {self.found}, wanted {self.wanted}"
            if where
            else f"found {self.found}, wanted {self.wanted}"
        )


class RowsRejected(HeadraceError):
    """Rows that do not meet a model's schema. `problems` are some of them, `total` counts them all."""

    def __init__(self, problems: Sequence[RowProblem], total: int) -> None:
        self.problems, self.total = tuple(problems), total
        shown = "; ".join(map(str, self.problems[:5]))
        super().__init__(shown + (f"; and {total - 5} more" if total > 5 else ""))


class Overloaded(HeadraceError):
    """The service has as much to do as it takes; the same request may be answered later."""


class WrongWord(HeadraceError):
    """A word on the command line that means nothing; the message says what would."""

    exit_code = 2


class NotDeterministic(HeadraceError):
    """Two runs of the same thing did not come out the same, or did not come out."""


class CannotReproduce(HeadraceError):
    """A past run cannot be run again; the message says what is missing."""


class PrefectUnreachable(HeadraceError):
    """Prefect's API does not answer."""


class SyncError(HeadraceError):
    """Something of a run that was logged offline cannot be sent to W&B."""


class SharedReportError(HeadraceError):
    """A report cannot be saved, shared or found in W&B."""


class LakeError(HeadraceError):
    """Something the lake refuses or cannot do."""


class RefNotFound(LakeError):
    """No branch, tag or commit of that name."""


class ObjectNotFound(LakeError):
    """The ref exists and holds no object at that path."""


class ObjectDamaged(LakeError):
    """An object's bytes are not the bytes that were stored; the message names it."""


class AlreadyExists(LakeError):
    """A branch, tag or (with `if_absent`) an object of that name is there already."""


class InvalidName(LakeError):
    """The name breaks the lake's rules, which the message states."""


class NoChanges(LakeError):
    """A commit, merge or revert that would change nothing."""


class UncommittedChanges(LakeError):
    """The branch has staged changes, and the operation wants none."""


class MergeConflict(LakeError):
    """Both sides changed the same objects; `paths` lists them."""

    def __init__(self, source: str, dest: str, paths: Iterable[str]) -> None:
        self.paths = sorted(paths)
        shown = ", ".join(self.paths[:SHOWN_AT_MOST])
        more = f" and {len(self.paths) - SHOWN_AT_MOST} more" if len(self.paths) > SHOWN_AT_MOST else ""
        super().__init__(f"{source} and {dest} both changed {shown}{more}")


class ProtectedRef(LakeError):
    """The ref may not be deleted or moved (the default branch)."""


class HookRejected(LakeError):
    """A hook of the lake said no."""


class PreconditionFailed(LakeError):
    """The state that the caller expected is no longer there."""


class Unsupported(LakeError):
    """This lake cannot do that."""


class AccessDenied(LakeError):
    """The lake does not know the keys, or they do not allow this."""


class RepositoryNotFound(LakeError):
    """Nobody has made this lake yet; on a server, no repository has that name."""


class LakeRetryableError(LakeError):
    """The same call may succeed later. Nothing was done, unless the message says that an answer was lost."""


class LakeBusy(LakeRetryableError):
    """Another writer holds the lake."""


class LakeUnavailable(LakeRetryableError):
    """The lake cannot be reached."""


def did_you_mean(name: str, allowed: Iterable[str], command: str = "{}") -> str:
    """Return a hint: the nearest allowed name (put into `command`), else the names that exist."""
    names = sorted(set(allowed))
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {command.format(near[0])}?"
    if not names:
        return "there are none"
    shown = ", ".join(names[:SHOWN_AT_MOST])
    return f"there are: {shown}" + (", …" if len(names) > SHOWN_AT_MOST else "")
