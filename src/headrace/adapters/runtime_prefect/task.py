"""One stage as one Prefect task: its cache key, its record file, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from uuid import uuid4

from headrace.core.ports import StageTask
from headrace.errors import Pruned, StageError

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import State
    from prefect.filesystems import LocalFileSystem
    from prefect.futures import PrefectFuture

T = TypeVar("T")

KEY_DIGITS = 64
PRUNED = "Pruned"  # the name of a Completed state: nothing failed, and nothing is to be tried again


class Outcome(Generic[T]):
    """What the last call of a function gave, kept beside Prefect, which may only see JSON."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._value: T | None = None
        self.ran = False
        self.error: Exception | None = None

    def run(self) -> T:
        self.ran, self.error = True, None
        try:
            value = self._value = self._function()
        except Exception as error:
            self.error = error
            raise
        return value

    def get(self) -> T:
        if self.error is not None:
            raise self.error
        return cast(T, self._value)


class Finished:
    """A stage that ran in this thread, or was found in the cache by Prefect."""

    def __init__(self, task: StageTask, outcome: Outcome[dict[str, Any]], state: State[Any]) -> None:
        self._task = task
        self._outcome = outcome
        self._state = state

    def result(self) -> dict[str, Any]:
        from prefect.task_engine import TaskRunTimeoutError

        if self._state.name == "TimedOut" and isinstance(
            self._outcome.error, TaskRunTimeoutError | type(None)
        ):
            raise _took_too_long(self._task) from None
        if self._outcome.ran:
            return self._outcome.get()
        # Never awaited: without `_sync` it would be, where an event loop runs.
        return self._state.result(_sync=True)  # type: ignore[call-overload, no-any-return]


class Submitted:
    """A stage on the task runner."""

    def __init__(self, task: StageTask, outcome: Outcome[dict[str, Any]], future: PrefectFuture[Any]) -> None:
        self._task = task
        self._outcome = outcome
        self._future = future

    def result(self) -> dict[str, Any]:
        self._future.wait()
        return Finished(self._task, self._outcome, self._future.state).result()


class _StageCall:
    """What Prefect calls. Its parameters, the name and the key, are all that Prefect stores.

    An object and not a function, because Prefect would read and hash the source of a function for
    each task (4 ms).
    """

    def __init__(self, outcome: Outcome[dict[str, Any]]) -> None:
        self._outcome = outcome

    def __call__(self, stage: str, key: str) -> Any:
        try:
            return self._outcome.run()
        except Pruned as error:
            return _pruned(error)


def _pruned(error: Pruned) -> State[Any]:
    """Return the state of a pruned stage, which Prefect neither tries again nor remembers."""
    from prefect.states import Completed
    from prefect.transactions import get_transaction

    transaction = get_transaction()
    assert transaction is not None  # every task runs in one
    transaction.write_on_commit = False  # a record of nothing under the key would be a hit
    return Completed(name=PRUNED, message=str(error))


def _took_too_long(task: StageTask) -> StageError:
    return StageError(
        f"{task.name} took longer than its timeout_seconds ({task.timeout_seconds:g}); to allow more, "
        f"set stages.{task.name}.timeout_seconds"
    )


def build_task(
    task: StageTask, outcome: Outcome[dict[str, Any]], results_dir: Path
) -> Task[..., dict[str, Any]]:
    """Build the task of one stage, whose only parameters are the stage's name and its key."""
    from prefect import Task
    from prefect.cache_policies import NO_CACHE

    built: Task[..., Any] = Task(
        _StageCall(outcome),
        name=task.name,
        task_run_name=task.name,
        version="",
        retries=task.retries,
        retry_delay_seconds=list(task.retry_delay_seconds) or None,
        timeout_seconds=task.timeout_seconds,
        cache_policy=_key_policy() if task.cache else NO_CACHE,
        persist_result=task.cache,
        result_serializer="json",  # the default is a pickle
        result_storage=results_dir,
        cache_result_in_memory=False,
    )
    if task.cache:
        # Set afterwards, because the constructor wants such a block saved on the server.
        built.result_storage = _record_files()(basepath=str(results_dir))
    return built


@cache
def _key_policy() -> Any:
    from prefect.cache_policies import CachePolicy

    class StageKey(CachePolicy):
        """The key that the plan computed. Nothing to compute means nothing that can fail here."""

        def compute_key(self, task_ctx: Any, inputs: Any, flow_parameters: Any, **_: Any) -> str:
            return str(inputs["key"])

    return StageKey()


@cache
def _record_files() -> type[LocalFileSystem]:
    from prefect.filesystems import LocalFileSystem

    class RecordFiles(LocalFileSystem):
        """Prefect's local files, but a record is there whole or not at all.

        Prefect writes in place, so that a kill leaves half a record, and a reader at that moment
        sees one. It also stores the exception of each failed task, which nobody reads back, under
        a random name: those are not kept.
        """

        # Blocks are registered by a slug of this name, which two classes must not share.
        _block_type_name = "Headrace stage records"

        def _resolve_path(self, path: str) -> Path:
            # Prefect resolves links in every part of the path, five times a task (5 ms). The keys
            # are ours: 64 digits, or such a path that Prefect made absolute before.
            return Path(self.basepath or ".") / path

        def write_path(self, path: str, content: bytes, _sync: bool = True) -> str:  # type: ignore[override]
            target = self._resolve_path(path)
            if len(target.name) != KEY_DIGITS:
                return str(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
            try:
                temporary.write_bytes(content)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
            return str(target)

    return RecordFiles
