"""The runtime on Prefect: one flow run for a run, one task run for a stage.

Prefect is imported when something is to run, never before. Stages run in this process, in the main
thread or in threads, so their functions and errors stay ordinary Python objects: Prefect gets
small JSON in and out, and the stage is found by name and key.
"""

from __future__ import annotations

import inspect
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from headrace.adapters.runtime_prefect.settings import (
    import_prefect,
    keep_settings,
    quiet_logging,
    shell_settings,
)
from headrace.adapters.runtime_prefect.task import PRUNED, Finished, Outcome, Submitted, build_task
from headrace.core.ports import StageFuture, StageTask
from headrace.core.secrets import redact_text
from headrace.errors import PrefectUnreachable, Pruned

if TYPE_CHECKING:
    from prefect import Flow

T = TypeVar("T")

log = logging.getLogger(__name__)

FLOW_NAME = "headrace"


@contextmanager
def _telling_of_the_server(url: str, outcome: Outcome[Any]) -> Iterator[None]:
    """Say which API did not answer. A run that has its result by then keeps it."""
    import httpx

    try:
        yield
    except httpx.TransportError as error:
        if outcome.ran and outcome.error is None:
            log.warning("Prefect's API at %s is gone, so it does not know how the run ended.", url)
            return
        raise PrefectUnreachable(
            f"Prefect's API at {redact_text(url)} does not answer ({error}); is it up? To run without it, "
            "type: runtime=inline"
        ) from error


class PrefectRuntime:
    """Runs bodies as Prefect flow runs on the server at `api_url()`.

    `api_url` is asked when a body is to run, after Prefect's import: a server may start meanwhile.
    `results_dir` holds one result record a key; it is the folder of the stage cache. `parent_id` is a
    flow run, of another process, below which this one is shown; the thread then keeps its settings. Inside an
    active flow run (a deployed flow) `run` joins that one, with its server, settings and task
    runner. One body at a time: `run` is not re-entrant, `submit` may be called from any thread
    that carries the flow's context.
    """

    def __init__(
        self,
        api_url: Callable[[], str],
        results_dir: Path,
        *,
        max_workers: int | None = None,
        flow_name: str = FLOW_NAME,
        parent_id: str | None = None,
    ) -> None:
        self._api_url = api_url
        self._results_dir = Path(results_dir).absolute()
        self._max_workers = max_workers
        self._flow_name = flow_name
        self._parent_id = parent_id
        self._info: dict[str, Any] = {}

    def warm_up(self) -> None:
        import_prefect()
        keep_settings(self._api_url())

    def run(self, name: str, body: Callable[[], T], parameters: Mapping[str, Any], plan_markdown: str) -> T:
        """Run `body` as one flow run called `name`; what it raises comes out as it is.

        Returns before the last events and logs have reached the server: Prefect sends them in the
        background and waits for them when the process ends.
        """
        import_prefect()
        from prefect.context import FlowRunContext

        def noted() -> T:
            self._note_flow_run(plan_markdown)
            return body()

        if FlowRunContext.get() is not None:
            return noted()
        outcome: Outcome[T] = Outcome(noted)
        url = self._api_url()
        with quiet_logging(), _telling_of_the_server(url, outcome):
            flow = self._flow(name, outcome, parameters)
            if self._parent_id is None:
                with shell_settings(url):
                    flow(**parameters, return_state=True)
            else:
                keep_settings(url)
                _run_below(UUID(self._parent_id), flow, name, parameters)
        return outcome.get()

    def submit(self, task: StageTask) -> StageFuture:
        """Start one stage: in this thread where it is alone, else on the flow's task runner.

        A stage that is alone has run when this returns; its error waits in the future.
        """
        outcome: Outcome[dict[str, Any]] = Outcome(task.execute)
        prefect_task: Any = build_task(task, outcome, self._results_dir)
        if task.alone:
            return Finished(task, outcome, prefect_task(task.name, task.key, return_state=True))
        return Submitted(task, outcome, prefect_task.submit(task.name, task.key))

    def info(self) -> dict[str, Any]:
        return dict(self._info)

    def _flow(self, name: str, outcome: Outcome[Any], parameters: Mapping[str, Any]) -> Flow[..., Any]:
        from prefect import Flow
        from prefect.states import Completed, Failed

        def run_body(**_: Any) -> Any:
            try:
                outcome.run()
            except Pruned as error:
                return Completed(name=PRUNED, message=str(error))
            except Exception as error:
                # Returned and not raised: Prefect would print the traceback and pickle the error.
                return Failed(message=f"{type(error).__name__}: {error}")
            return None

        # Prefect shows parameters by the names in the signature.
        run_body.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY) for key in parameters]
        )
        return Flow(
            run_body,
            name=self._flow_name,
            # One below another is made with its name: to set it again would be one more request.
            flow_run_name=name.replace("{", "{{").replace("}", "}}") if self._parent_id is None else None,
            version="",  # else Prefect hashes this file
            task_runner=thread_runner()(max_workers=self._max_workers or _default_workers()),
            validate_parameters=False,  # the config was checked; pydantic would build a model here
            persist_result=False,
            result_storage=self._results_dir,  # else Prefect asks the server where results go
            retries=0,
        )

    def _note_flow_run(self, plan_markdown: str) -> None:
        """Remember where to look, and hang the plan on the flow run without waiting for it."""
        from prefect.context import FlowRunContext
        from prefect.utilities.urls import url_for

        context = FlowRunContext.get()
        if context is None or context.flow_run is None:
            raise RuntimeError("there is no active Prefect flow run")
        flow_run_id = context.flow_run.id
        self._info = {"flow_run_id": str(flow_run_id), "url": url_for("flow-run", obj_id=flow_run_id)}
        threading.Thread(
            target=copy_context().run, args=(_attach_plan, flow_run_id, plan_markdown), daemon=False
        ).start()


@cache
def thread_runner() -> Any:
    """Return Prefect's thread pool as a class that an interrupt can leave."""
    from prefect.task_runners import ThreadPoolTaskRunner

    class ThreadRunner(ThreadPoolTaskRunner[Any]):
        """Waits for its threads at the end, but not after an interrupt: a fit may take another hour."""

        def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
            executor = self._executor
            if executor is not None and exc_type is not None and not issubclass(exc_type, Exception):
                executor.shutdown(wait=False, cancel_futures=True)
                self._executor = None
            super().__exit__(exc_type, exc_value, traceback)

    return ThreadRunner


def _run_below(parent_id: UUID, flow: Flow[..., Any], name: str, parameters: Mapping[str, Any]) -> None:
    """Run a flow as the child of a flow run of another process.

    As Prefect itself does for a flow in a flow: a task run of the parent stands for the child.
    """
    from prefect import Task
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow
    from prefect.states import Pending

    with get_client(sync_client=True) as client:
        stand_in: Task[..., Any] = Task(_nothing, name=name, version="")
        task_run = client.create_task_run(
            stand_in, flow_run_id=parent_id, dynamic_key=name, name=name, state=Pending(), task_inputs={}
        )
        flow_run = client.create_flow_run(
            flow, parameters=dict(parameters), parent_task_run_id=task_run.id, state=Pending(), name=name
        )
    run_flow(flow, flow_run=flow_run, parameters=dict(parameters), return_type="state")


def _nothing() -> None:
    return


def _attach_plan(flow_run_id: UUID, markdown: str) -> None:
    """Send the plan from a thread of its own: the run never waits for it, nor fails by it."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import ArtifactCreate

    try:
        with get_client(sync_client=True) as client:
            client.create_artifact(
                ArtifactCreate(
                    type="markdown", key="plan", description="What runs, and why", data=markdown,
                    flow_run_id=flow_run_id,
                )
            )  # fmt: skip
    except Exception as error:
        logging.getLogger(__name__).warning("Prefect did not take the plan: %s", error)


def _default_workers() -> int:
    return min(8, os.cpu_count() or 1)
