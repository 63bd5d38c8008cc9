"""Workers that are whoever runs a Prefect deployment: each job becomes a flow run of it.

What a job came to is an artifact of its flow run, which `headrace.deployed` writes. Prefect keeps what a
flow returns in files that only the machine which ran it need see.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from headrace.core.ports import JobDone
from headrace.core.secrets import redact_overrides
from headrace.errors import ConfigError, HeadraceError, did_you_mean

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

RESULT_KEY = "headrace-result"  # of the artifact
PARAMETERS = ("overrides", "sweep")
LOOK_SECONDS = 1.0  # between two questions about all runs
PAGE = 200  # objects that Prefect's API gives at a time
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")

log = logging.getLogger(__name__)


class NoResult(HeadraceError):
    """A flow run ended, and did not say what it came to."""


class DeploymentWorkers:
    """Submits each job as a flow run, and asks for the states of all of them at once.

    A job of this sweep that an earlier process submitted is not submitted again: its flow run is found
    by its tag. `close` leaves the flow runs alone, `interrupt` has Prefect cancel them. One that crashes
    is lost; one whose whole machine is gone stays `Running` in Prefect until somebody cancels it there.

    Args:
        size: Jobs that are submitted at a time.
        deployment: `<flow>/<name>`.
        sweep: The id of the sweep.
        parent_id: The flow run below which Prefect is to show those of the jobs.

    Raises:
        ConfigError: where there is no such deployment, or its flow takes other parameters.
    """

    def __init__(self, size: int, deployment: str, sweep: str, parent_id: str | None = None) -> None:
        from prefect.client.orchestration import get_client

        self.size = size
        self._tag = f"headrace-sweep:{sweep}"
        self._parent_id = parent_id
        self._running: dict[UUID, int] = {}  # numbers by flow run
        self._waiting: deque[tuple[int, Mapping[str, Any]]] = deque()
        self._done: deque[JobDone] = deque()
        self._looked = float("-inf")
        self._stack = ExitStack()
        self._client = self._stack.enter_context(get_client(sync_client=True))
        try:
            self._deployment = _find(self._client, deployment)
            self._there = {_number(run): run for run in self._submitted_before()}
        except BaseException:
            self._stack.close()
            raise

    def submit(self, number: int, payload: Mapping[str, Any]) -> str | None:
        if len(self._running) >= self.size:
            self._waiting.append((number, payload))
            return None
        there = self._there.pop(number, None)
        # A search that was killed before it wrote a trial down may ask for another point under its number.
        if there is not None and there.parameters["overrides"] == list(payload["overrides"]):
            flow_run_id = there.id
        else:
            flow_run_id = self._create(number, payload)
        self._running[flow_run_id] = number
        return str(flow_run_id)

    def wait(self, seconds: float | None = None) -> JobDone | None:
        until = None if seconds is None else time.monotonic() + seconds
        while not self._done:
            if until is None and not self._running:
                return None
            pause = self._looked + LOOK_SECONDS - time.monotonic()
            left = pause if until is None else min(pause, until - time.monotonic())
            if left > 0:
                time.sleep(left)
            if left == pause or pause <= 0:
                self._look()
            if until is not None and time.monotonic() >= until:
                break
        if not self._done:
            return None
        done = self._done.popleft()
        if self._waiting:
            self.submit(*self._waiting.popleft())
        return done

    def interrupt(self) -> None:
        from prefect.client.schemas.objects import State, StateType
        from prefect.exceptions import ObjectNotFound

        self._waiting.clear()
        for flow_run_id in self._running:
            with suppress(*_gone(), ObjectNotFound):
                self._client.set_flow_run_state(flow_run_id, State(type=StateType.CANCELLING))

    def close(self) -> None:
        self._waiting.clear()
        self._running.clear()
        self._stack.close()

    def _create(self, number: int, payload: Mapping[str, Any]) -> UUID:
        parameters = _parameters(number, payload)
        name = f"sweep {payload['sweep']} job {number}"
        return self._client.create_flow_run_from_deployment(
            self._deployment.id,
            parameters=parameters,
            name=name,
            tags=[*self._deployment.tags, self._tag],
            parent_task_run_id=self._stand_in(name),
        ).id

    def _stand_in(self, name: str) -> UUID | None:
        """Make the task run of the parent that stands for a job, as Prefect does for flows in flows."""
        if self._parent_id is None:
            return None
        from prefect import Task
        from prefect.states import Pending

        made = self._client.create_task_run(
            Task(_nothing, name=name, version=""),
            flow_run_id=UUID(self._parent_id),
            dynamic_key=name,
            name=name,
            state=Pending(),
            task_inputs={},
        )
        return made.id

    def _submitted_before(self) -> Iterator[FlowRun]:
        """Yield the flow runs that may be taken for jobs of this sweep, the newest of a job last."""
        from prefect.client.schemas.filters import FlowRunFilter
        from prefect.client.schemas.sorting import FlowRunSort

        wanted = FlowRunFilter.model_validate(
            {
                "tags": {"all_": [self._tag]},
                "state": {"type": {"not_any_": ["CRASHED", "CANCELLED", "CANCELLING"]}},
            }
        )
        found: list[FlowRun] = []
        while len(found) % PAGE == 0:
            page = self._client.read_flow_runs(
                flow_run_filter=wanted,
                sort=FlowRunSort.EXPECTED_START_TIME_ASC,
                limit=PAGE,
                offset=len(found),
            )
            found += page
            if not page:
                break
        yield from found

    def _look(self) -> None:
        """Take what has ended since the last look."""
        self._looked = time.monotonic()
        try:
            for ids in _pages(self._running):
                self._take(ids)
        except _gone() as error:
            log.warning("Prefect's API does not answer (%s); its runs go on, and so does this sweep", error)

    def _take(self, ids: list[UUID]) -> None:
        from prefect.client.schemas.filters import ArtifactFilter, FlowRunFilter

        ended = self._client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate(
                {"id": {"any_": ids}, "state": {"type": {"any_": list(ENDED)}}}
            ),
            limit=PAGE,
        )
        if not ended:
            return
        results = self._client.read_artifacts(
            artifact_filter=ArtifactFilter.model_validate(
                {"flow_run_id": {"any_": [run.id for run in ended]}, "key": {"any_": [RESULT_KEY]}}
            ),
            limit=PAGE,
        )
        by_run = {artifact.flow_run_id: _read(artifact.data) for artifact in results}
        for run in ended:
            self._done.append(_told(self._running.pop(run.id), run, by_run.get(run.id)))


def _nothing() -> None:
    return


def _gone() -> tuple[type[Exception], ...]:
    import httpx

    return (httpx.TransportError,)


def _pages(ids: Iterable[UUID]) -> Iterator[list[UUID]]:
    rest = list(ids)
    for start in range(0, len(rest), PAGE):
        yield rest[start : start + PAGE]


def _number(run: FlowRun) -> int:
    found: int = run.parameters["sweep"]["trial"]
    return found


def _parameters(number: int, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a flow run gets, for everybody to see. Raises `ConfigError` where that is a secret."""
    words = list(payload["overrides"])
    hidden = [word for word, shown in zip(words, redact_overrides(words), strict=True) if word != shown]
    if hidden:
        key = hidden[0].partition("=")[0]
        raise ConfigError.one(
            key,
            "is secret, and the parameters of a flow run are shown by Prefect",
            "leave it out, and let the config of the deployment read it there: ${oc.env:NAME}",
        )
    sweep = {
        "id": payload["sweep"],
        "trial": number,
        "params": dict(payload["params"]),
        "flow_run_id": payload.get("flow_run"),
        "lake": payload["lake"],
    }
    return {"overrides": words, "sweep": sweep}


def _find(client: SyncPrefectClient, name: str) -> DeploymentResponse:
    from prefect.exceptions import ObjectNotFound

    where = "hydra.launcher.deployment"
    try:
        found = client.read_deployment_by_name(name)
    except ObjectNotFound as error:
        flows = {flow.id: flow.name for flow in client.read_flows()}
        names = [f"{flows.get(one.flow_id)}/{one.name}" for one in client.read_deployments()]
        hint = did_you_mean(name, names, f"{where}={{}}")
        raise ConfigError.one(where, f"there is no deployment '{name}'", hint) from error
    takes = list((found.parameter_openapi_schema or {}).get("properties", {}))
    missing = [parameter for parameter in PARAMETERS if parameter not in takes]
    if missing:
        raise ConfigError.one(
            where,
            f"the flow of '{name}' takes no {' and no '.join(missing)}, but: {', '.join(takes) or 'nothing'}",
            "deploy flows.train.train, and again if it was deployed with an older headrace",
        )
    return found


def _read(data: Any) -> Any:
    """Return what an artifact holds: Prefect keeps JSON as text, in which a metric may be NaN."""
    try:
        return json.loads(data) if isinstance(data, str) else data
    except ValueError:
        return None


def _told(number: int, run: FlowRun, result: Any) -> JobDone:
    state = run.state
    assert state is not None
    if state.type.value == "CRASHED":
        return JobDone(number=number, error=NoResult(state.message or "crashed"), lost=True)
    if isinstance(result, Mapping):
        return JobDone(number=number, result=dict(result))
    if state.type.value == "CANCELLED":
        return JobDone(number=number, result={"state": "interrupted", "error": "cancelled in Prefect"})
    said = f"{state.name}: {state.message or 'the flow run says no more'}"
    return JobDone(number=number, error=NoResult(f"flow run {run.id}: {said}"))
