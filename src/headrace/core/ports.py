"""The roles that adapters play. A port says what is meant; an adapter need not inherit from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, TypeVar, runtime_checkable

from headrace.core.artifact import Artifact
from headrace.core.lineage import Reference

T = TypeVar("T")

MAIN = "main"


# --- the lake -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One object at one ref. `digest` is `sha256:<hex>` of its bytes.

    An object that another tool put into a server's lake has the checksum that the lake knows, tagged by
    what it is: `md5:<hex>`, or `etag:<text>`, which cannot be checked against the bytes.
    """

    path: str
    digest: str
    bytes: int
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CommonPrefix:
    """What `list` yields for paths that share a prefix up to the delimiter."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit; `time` is seconds since the epoch (UTC), the first parent is the branch's own."""

    id: str
    parents: tuple[str, ...]
    message: str
    metadata: Mapping[str, str]
    time: float


@dataclass(frozen=True, slots=True)
class Branch:
    name: str
    commit: str


@dataclass(frozen=True, slots=True)
class Change:
    """One path of a diff: what happened to it on the right side."""

    path: str
    kind: Literal["added", "removed", "changed", "conflict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GcReport:
    """What a collection removed, or with `dry_run` would remove.

    `kept_by_server` says what is left for the lake's server to do; '' where the bytes are gone.
    """

    branches: tuple[str, ...]
    objects: int
    bytes: int
    digests: tuple[str, ...]
    kept_by_server: str = ""


MergeStrategy = Literal["source-wins", "dest-wins"]


class LakeReader(Protocol):
    """Reading a lake. Every method is safe to repeat and to call from several threads.

    A `ref` is a commit id or a unique hex prefix of one, a branch, a tag, each with any number of
    `~N` (N-th first-parent ancestor) and `^N` (N-th parent); `branch@` means committed only.
    Reading at a branch's name includes what is staged there. Unknown refs raise `RefNotFound`.
    """

    @property
    def identity(self) -> str:
        """Name this very lake: the same wherever it is opened on this machine, and no other lake's."""

    def require(self) -> None:
        """Raise `RepositoryNotFound` where nobody has made the lake yet, and make nothing.

        A lake on a server is not asked for that: every other call says the same of it.
        """

    def resolve(self, ref: str) -> str:
        """Return the full id of the commit that `ref` names."""

    def branches(self, prefix: str = "") -> Sequence[Branch]:
        """Return the branches whose names start with `prefix`, by name."""

    def tags(self, prefix: str = "") -> Sequence[Branch]:
        """Return the tags whose names start with `prefix`, by name."""

    def stat(self, ref: str, path: str) -> ObjectInfo:
        """Describe one object. Raises `ObjectNotFound`."""

    def list(
        self, ref: str, prefix: str = "", delimiter: str = "", after: str = ""
    ) -> Iterator[ObjectInfo | CommonPrefix]:
        """Yield objects in byte order of their paths, from the first one greater than `after`."""

    def open(self, ref: str, path: str) -> BinaryIO:
        """Open an object for reading; its sha256 is verified before the first byte is handed out.

        Raises `ObjectNotFound`, and `ObjectDamaged` naming the object.
        """

    def local_path(self, ref: str, path: str) -> Path:
        """Return a read-only local file with the object's bytes, verified. Never write to it.

        The file stays for as long as this process lives.
        """

    def local_paths(self, ref: str, objects: Sequence[ObjectInfo]) -> Sequence[Path]:
        """Do `local_path` for objects that `list` or `stat` gave at this very ref, in their order.

        Many are fetched side by side.
        """

    def diff(
        self, left: str, right: str, prefix: str = "", mode: Literal["two_dot", "three_dot"] = "two_dot"
    ) -> Sequence[Change]:
        """Return the paths that differ: right against left, or (three_dot) against the merge base."""

    def log(self, ref: str, limit: int | None = None, first_parent: bool = False) -> Sequence[Commit]:
        """Return the commits reachable from `ref`, newest first; with `first_parent` the branch's own."""


class LakeWriter(Protocol):
    """Writing a lake: staging belongs to a branch, and a commit makes it permanent.

    A commit, merge or revert happens once, however often a lost connection makes the adapter try.
    Safe from several processes; a call that cannot get the lake in time raises `LakeBusy` and has
    done nothing. Names of branches match `^\\w[-\\w]*$`; a bad one raises `InvalidName`.
    """

    def init(self) -> bool:
        """Create the lake with an empty `main` where there is none; return whether that was so.

        Needed once, and only for a lake on a server: others come to be at their first use.
        """

    def create_branch(self, name: str, source: str, exist_ok: bool = False) -> str:
        """Create a branch at `source` and return its commit id. Raises `AlreadyExists`."""

    def delete_branch(self, name: str) -> None:
        """Delete a branch with what is staged on it. Raises `ProtectedRef` for `main`."""

    def put(
        self,
        branch: str,
        path: str,
        src: Path | bytes,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        consume: bool = False,
    ) -> ObjectInfo:
        """Stage a file or bytes. `consume` lets the lake move `src` instead of copying it.

        With `if_absent` an object already there raises `AlreadyExists`. A lake on a server marks what is
        put so, to know it again: it differs from every other object, also from one of the same bytes.
        """

    def put_many(self, branch: str, files: Mapping[str, Path], consume: bool = False) -> Sequence[ObjectInfo]:
        """Stage files by path as `put` does, in their order, as fast as the lake takes them.

        After a failure some may be staged: `reset` drops them.
        """

    def link(self, branch: str, path: str, src_ref: str, src_path: str) -> ObjectInfo:
        """Stage an object that the lake already holds; its bytes do not pass through this process."""

    def delete(self, branch: str, paths: Iterable[str]) -> None:
        """Stage the removal of objects; a path that is not there is no error."""

    def commit(
        self,
        branch: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        allow_empty: bool = False,
    ) -> Commit:
        """Commit what is staged. Raises `NoChanges` where that changes nothing."""

    def reset(self, branch: str, prefix: str = "") -> None:
        """Throw away what is staged under `prefix`."""

    def merge(
        self,
        source: str,
        dest: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        strategy: MergeStrategy | None = None,
    ) -> Commit:
        """Merge three-way, object by object, into branch `dest`; never a fast-forward.

        Raises `UncommittedChanges` (staged changes on dest), `MergeConflict` (with its paths),
        `NoChanges` (dest already contains source).
        """

    def revert(self, branch: str, ref: str, parent: int = 1) -> Commit:
        """Commit the inverse of `ref` relative to its `parent`. Raises as `merge` does."""

    def tag(self, name: str, ref: str) -> str:
        """Name a commit for ever and return its id. Raises `AlreadyExists`."""

    def delete_tag(self, name: str) -> None:
        """Delete a tag. Raises `RefNotFound`."""

    def gc(self, branches: Iterable[Branch] = (), dry_run: bool = False) -> GcReport:
        """Delete these branches, then remove the bytes that no ref or staging area reaches any more.

        A branch that is no longer at the commit given is left alone. Raises `ProtectedRef` for `main`.
        """


@runtime_checkable
class LakeStore(LakeReader, LakeWriter, Protocol):
    """One repository of versioned objects."""


class PublishedModels(Protocol):
    """What `model:` URIs name. A URI names the same version however often it is asked for."""

    def package(self, uri: str) -> Artifact | None:
        """Return the version's package; None where an alias names none. Raises `SourceNotFound`."""

    def digest(self, uri: str) -> str:
        """Return the package's digest; '' where there is none."""

    def describe(self, uri: str) -> dict[str, Any]:
        """Say what it is, for the record."""


# --- how values become files ------------------------------------------------------------------


class Codec(Protocol):
    """Stores values of some types as one file, or as a directory of files where `suffix` is empty.

    Writing the same value twice gives the same bytes. Reading executes nothing from the file.
    """

    name: str
    suffix: str

    def accepts(self, value: object) -> bool:
        """Tell whether this codec stores such a value; imports no library to find out."""

    def write(self, value: Any, path: Path) -> None:
        """Write to `path`, which does not exist yet."""

    def read(self, path: Path, wanted: str) -> Any:
        """Read in the type `wanted`: a qualified name such as `pandas.DataFrame`, or '' for its own.

        Raises `StageError` for a type that it cannot give, naming those that it can.
        """


# --- schemas ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaFindings:
    """What a checker found: tables are pandas DataFrames.

    `valid` holds the rows that pass, with types coerced; `rejected` those that do not, untouched,
    with their original index. `failures` has one row for each failure: column, check, index, value.
    A failure that no row can answer for (a column that is missing) has no index and makes
    `structural` non-empty.
    """

    valid: Any
    rejected: Any
    failures: Any
    structural: Sequence[str] = ()


class SchemaChecker(Protocol):
    """Checks a table against a schema, all failures at once."""

    def check(self, table: Any) -> SchemaFindings:
        """Check every column and row. Raises nothing for bad data; `ConfigError` for a bad schema."""


# --- what a stage may ask for -------------------------------------------------------------------


class Context(Protocol):
    """What a stage function gets when it has an argument named `context`."""

    seed: int
    workdir: Path  # survives an interrupted run of this very stage: put checkpoints here

    def log(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics of the stage's progress, such as a loss for each epoch."""

    def report(self, step: int, value: float) -> None:
        """Report an interim score, the greater the better as with scikit-learn's scorers.

        A search may stop a hopeless trial by it: then this raises `Pruned`, which a stage lets pass.
        Save what a later run is to go on from before reporting. A score that is not finite is logged
        as it is, and no search is asked.
        """

    def progress(self, description: str, total: int) -> AbstractContextManager[Callable[[str], None]]:
        """Open a progress bar; call what it gives once a step, with a note such as `loss 0.31`."""


Judge = Callable[[int, float], bool]
"""Takes a step and its finite score, the greater the better; tells whether the stage is hopeless.

Called from the thread of the stage that reports; stages side by side call it at the same time.
"""


# --- tracking -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that people look at. Cells are text, numbers, truth values or None."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


class Tracker(Protocol):
    """Logs a run somewhere people look at. It never fails a run: trouble is told as a warning.

    What it is given under a name that says secret is refused. Artifacts of one name are versions of one
    thing; what `use` and `model` refer to stays where it is.
    """

    def warm_up(self) -> None:
        """Start what takes long, for a run of this process that is still to come."""

    def start(
        self,
        run_id: str,
        experiment: str,
        config: Mapping[str, Any],
        tags: Sequence[str],
        group: str | None = None,
        job_type: str = "train",
    ) -> None:
        """Open the run. `config` is resolved and holds no secrets; runs of a `group` are shown together."""

    def log(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics, at a step where they have one."""

    def use(self, reference: Reference) -> None:
        """Say what the run reads."""

    def attach(
        self,
        name: str,
        kind: str,
        files: Mapping[str, Path],
        metadata: Mapping[str, Any],
        tables: Mapping[str, Table | Path] | None = None,
    ) -> None:
        """Attach small files by their names, and tables: of a Parquet file its first hundred rows."""

    def model(self, reference: Reference, files: Callable[[], Mapping[str, Path]]) -> None:
        """Say that the run made a model, a candidate. `files` is asked for where they are kept too."""

    def published(self, reference: Reference, version: int, aliases: Sequence[str]) -> None:
        """Say which version a model became, and the aliases that it got by that."""

    def alert(self, title: str, text: str) -> None:
        """Tell people at once."""

    def finish(self, state: str, summary: Mapping[str, Any]) -> None:
        """Close the run with its final state and figures. Waits for a bounded time."""

    def info(self) -> dict[str, Any]:
        """Say where to look: `id`, and `dir` (offline) or `url` (online); {} when off.

        `pending` lists in order what is left to do there, `done` what was.
        """


# --- running ----------------------------------------------------------------------------------


class StageFuture(Protocol):
    """A stage that is running or has run."""

    def result(self) -> dict[str, Any]:
        """Wait, and return the stage's record. Raises what the stage raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTask:
    """One stage, ready to execute: how it is run, and the function that does it.

    `execute()` takes nothing, returns a small JSON record, and may be called again after a failure.
    """

    name: str
    key: str
    retries: int
    retry_delay_seconds: Sequence[float]
    timeout_seconds: float | None
    cache: bool
    alone: bool  # no other stage can run beside it: run it in this thread
    execute: Callable[[], dict[str, Any]]


class Runtime(Protocol):
    """Executes stages, with retries and timeouts, and shows what happens.

    A stage that raises `Pruned` has not failed: it is not tried again, and its key gets no record.
    """

    def warm_up(self) -> None:
        """Import and open what takes long, for a run of this process that is still to come."""

    def run(self, name: str, body: Callable[[], T], parameters: Mapping[str, Any], plan_markdown: str) -> T:
        """Run `body` as one flow run; `body` calls `submit`. Raises what `body` raises."""

    def submit(self, task: StageTask) -> StageFuture:
        """Start one stage."""

    def info(self) -> dict[str, Any]:
        """Say where to look: `flow_run_id` and `url`; {} where there is nothing."""


class StageCache(Protocol):
    """Remembers the record of each finished stage by its key. Damaged entries count as absent."""

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the record, or None."""

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Remember a record, atomically."""

    def forget(self, key: str) -> None:
        """Drop a record whose objects are gone; one that is not there is no error."""

    def lock(self, key: str) -> AbstractContextManager[None]:
        """Hold the key for one process at a time; freed when its holder dies."""


# --- sweeping ---------------------------------------------------------------------------------

TrialEnd = Literal["complete", "pruned", "failed"]
ParamValue = str | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What a search wants to try next: values by the key that an override sets."""

    number: int
    params: Mapping[str, ParamValue]


class Search(Protocol):
    """Decides what a sweep tries next. Used from one thread.

    A new one is told everything that an earlier one knew, by `restore`, and goes on from there.
    """

    def ask(self) -> Suggestion | None:
        """Return the next point, numbered from 0; None where the space is used up."""

    def report(self, number: int, step: int, score: float) -> bool:
        """Take an interim score, the greater the better; return whether the trial is hopeless."""

    def tell(self, number: int, end: TrialEnd, values: Sequence[float] = ()) -> None:
        """Take how a trial ended, with a value for each objective where it is complete."""

    def memory(self, number: int) -> dict[str, Any]:
        """Return what `restore` will want to know of a trial beside its end: small JSON."""

    def restore(
        self,
        number: int,
        memory: Mapping[str, Any],
        end: TrialEnd,
        values: Sequence[float],
        scores: Sequence[tuple[int, float]],
    ) -> None:
        """Take over a trial that ended in an earlier process, in the order of their numbers."""

    def reopen(
        self, number: int, memory: Mapping[str, Any], scores: Sequence[tuple[int, float]] = ()
    ) -> None:
        """Take over a trial that an earlier process did not end, as if it had just been asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDone:
    """How a job came out: what its function returned, or why its worker could not.

    `lost` means that the worker died, so that the job may be given to another one.
    """

    number: int
    result: Any = None
    error: BaseException | None = None
    lost: bool = False


class Workers(Protocol):
    """Call one function on payloads, elsewhere and several at a time. Used from one thread.

    Args of every adapter: the number of jobs side by side, and the function, which lies in an
    importable module and takes one JSON object.
    """

    @property
    def size(self) -> int:
        """Return how many jobs run side by side."""

    def submit(self, number: int, payload: Mapping[str, Any]) -> str | None:
        """Start a job; at most `size` run at a time, the others wait.

        Returns the id by which it is known elsewhere, or None.
        """

    def wait(self, seconds: float | None = None) -> JobDone | None:
        """Return the next job that is done, or None after some seconds. Raises nothing of the job's."""

    def interrupt(self) -> None:
        """Ask the jobs that run to stop, and forget those that wait. `wait` still gives what runs."""

    def close(self) -> None:
        """Let go of the workers, and of what they are still at. May be called twice."""
