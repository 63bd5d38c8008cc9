"""The runtime on Prefect, against a real server."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.cache_files import FileStageCache
from headrace.adapters.runtime_prefect import PrefectRuntime
from headrace.adapters.server_prefect import LocalServer
from headrace.errors import PrefectUnreachable, Pruned
from headrace.testing.runtime import PARAMETERS, Flaky, RuntimeContract, make_task, run

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def api_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server for this file and worker, stopped at its end."""
    server = LocalServer(tmp_path_factory.mktemp("server"))
    try:
        yield server.ensure()
        # What Prefect still has to send, it would otherwise send to a server that is gone.
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker

        APILogWorker.drain_all()
        EventsWorker.drain_all()
    finally:
        server.stop()


@pytest.fixture
def runtime(api_url: str, tmp_path: Path) -> PrefectRuntime:
    return PrefectRuntime(lambda: api_url, tmp_path / "results")


class TestPrefectRuntime(RuntimeContract):
    """The contract, on Prefect."""

    @pytest.fixture
    def runtime(self, api_url: str, tmp_path: Path) -> PrefectRuntime:
        return PrefectRuntime(lambda: api_url, tmp_path / "results")


def eventually(look: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Return the first true answer: Prefect's events and logs reach the server in the background."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found


def ask(api_url: str, method: str, **filters: Any) -> Any:
    """Call one method of Prefect's client on the test's server."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: api_url}), get_client(sync_client=True) as client:
        return getattr(client, method)(**filters)


def task_runs(api_url: str, runtime: PrefectRuntime) -> dict[str, Any]:
    """Return the final task runs of the runtime's last flow run, by name."""
    from prefect.client.schemas.filters import FlowRunFilter

    filters = FlowRunFilter.model_validate({"id": {"any_": [runtime.info()["flow_run_id"]]}})
    found = ask(api_url, "read_task_runs", flow_run_filter=filters)
    return {one.name: one for one in found if one.state is not None and one.state.is_final()}


def test_one_flow_run_with_its_name_parameters_and_tasks(api_url: str, runtime: PrefectRuntime) -> None:
    """The server shows one completed flow run and one completed task run for each stage."""

    def body() -> None:
        for name in ("ingest", "fit"):
            runtime.submit(make_task(Flaky(0), name[0].encode().hex(), name=name)).result()

    run(runtime, body)
    flow_run = ask(api_url, "read_flow_run", flow_run_id=runtime.info()["flow_run_id"])
    assert flow_run.name == "penguins 20261124"
    assert flow_run.parameters == PARAMETERS
    assert flow_run.state.is_completed()
    runs = eventually(lambda: len(found := task_runs(api_url, runtime)) == 2 and found)
    assert {name: one.state_name for name, one in runs.items()} == {"ingest": "Completed", "fit": "Completed"}


def test_the_url_leads_to_the_flow_run(api_url: str, runtime: PrefectRuntime) -> None:
    """`info` is empty before the first run, and then gives the id and the page of the UI."""
    assert runtime.info() == {}
    run(runtime, lambda: None)
    info = runtime.info()
    assert info["url"] == f"{api_url.removesuffix('/api')}/runs/flow-run/{info['flow_run_id']}"


def test_the_plan_hangs_on_the_flow_run(api_url: str, runtime: PrefectRuntime) -> None:
    """The plan is a markdown artifact of the flow run."""
    from prefect.client.schemas.filters import ArtifactFilter

    run(runtime, lambda: None)
    wanted = ArtifactFilter.model_validate({"flow_run_id": {"any_": [runtime.info()["flow_run_id"]]}})
    (artifact,) = eventually(lambda: ask(api_url, "read_artifacts", artifact_filter=wanted))
    assert artifact.type == "markdown"
    assert "| fit | new |" in artifact.data


def test_our_cache_and_prefects_are_one(api_url: str, runtime: PrefectRuntime, tmp_path: Path) -> None:
    """A record that the stage cache holds is a hit for Prefect, and Prefect's is one for the cache."""
    cache = FileStageCache(tmp_path / "results")
    ours, theirs = make_task(Flaky(0), "a"), make_task(Flaky(0), "b", name="split")
    cache.put(ours.key, {"from": "the cache"})
    got = run(runtime, lambda: [runtime.submit(task).result() for task in (ours, theirs)])
    assert got[0] == {"from": "the cache"}
    assert cache.get(theirs.key) == got[1]
    runs = eventually(lambda: len(found := task_runs(api_url, runtime)) == 2 and found)
    assert {name: one.state_name for name, one in runs.items()} == {"fit": "Cached", "split": "Completed"}


def test_a_damaged_record_executes_again(runtime: PrefectRuntime, tmp_path: Path) -> None:
    """Half a record, as a killed writer leaves it, neither hits nor fails the task."""
    task = make_task(stage := Flaky(0))
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / task.key).write_text('{"metadata": {"storage_key"')
    assert run(runtime, lambda: runtime.submit(task).result())["rows"] == 344
    assert len(stage.called) == 1
    assert FileStageCache(tmp_path / "results").get(task.key) is not None


def test_a_failure_leaves_nothing_in_the_cache(runtime: PrefectRuntime, tmp_path: Path) -> None:
    """Prefect's stored exceptions do not land among the records."""
    with pytest.raises(ValueError, match="the disk is full"):
        run(runtime, lambda: runtime.submit(make_task(Flaky(1))).result())
    results = tmp_path / "results"
    assert not results.exists() or list(results.iterdir()) == []


@pytest.mark.parametrize("alone", [True, False])
def test_a_pruned_run_is_completed_there(
    api_url: str, runtime: PrefectRuntime, tmp_path: Path, alone: bool
) -> None:
    """Flow run and task run are Completed under the name Pruned, and no record is written."""
    pruned = Pruned.at("fit", 3)
    with pytest.raises(Pruned):
        run(runtime, lambda: runtime.submit(make_task(Flaky(1, pruned), retries=2, alone=alone)).result())
    ended = ask(api_url, "read_flow_run", flow_run_id=runtime.info()["flow_run_id"]).state
    assert (ended.type.value, ended.name, ended.message) == ("COMPLETED", "Pruned", str(pruned))
    stage = eventually(lambda: task_runs(api_url, runtime).get("fit")).state
    assert (stage.type.value, stage.name, stage.message) == ("COMPLETED", "Pruned", str(pruned))
    results = tmp_path / "results"
    assert not results.exists() or list(results.iterdir()) == []


def test_the_server_sees_failure_and_interrupt(api_url: str, runtime: PrefectRuntime) -> None:
    """A failed body is a Failed flow run that says why; an interrupted one is Crashed."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(ValueError, match="the disk is full"):
        run(runtime, lambda: runtime.submit(make_task(Flaky(1))).result())
    failed = ask(api_url, "read_flow_run", flow_run_id=runtime.info()["flow_run_id"]).state
    with pytest.raises(KeyboardInterrupt):
        run(runtime, interrupted)
    crashed = ask(api_url, "read_flow_run", flow_run_id=runtime.info()["flow_run_id"]).state
    assert (failed.name, failed.message) == ("Failed", "ValueError: the disk is full")
    assert crashed.name == "Crashed"


def test_nothing_is_printed_and_logging_is_left_alone(
    runtime: PrefectRuntime, capfd: pytest.CaptureFixture[str]
) -> None:
    """A run and a failure print nothing, and the root logger has the handlers that it had."""
    before = list(logging.getLogger().handlers)
    run(runtime, lambda: runtime.submit(make_task(Flaky(0))).result())
    with pytest.raises(ValueError, match="the disk is full"):
        run(runtime, lambda: runtime.submit(make_task(Flaky(1), "b")).result())
    assert logging.getLogger().handlers == before
    assert capfd.readouterr() == ("", "")


def test_prefects_log_lines_reach_the_server(api_url: str, runtime: PrefectRuntime) -> None:
    """What Prefect logs about a flow run can be read in the UI."""
    from prefect.client.schemas.filters import LogFilter

    run(runtime, lambda: runtime.submit(make_task(Flaky(0))).result())
    wanted = LogFilter.model_validate({"flow_run_id": {"any_": [runtime.info()["flow_run_id"]]}})

    def finished() -> bool:
        return any(
            "Finished in state" in line.message for line in ask(api_url, "read_logs", log_filter=wanted)
        )

    assert eventually(finished)


def test_an_active_flow_run_is_joined(api_url: str, runtime: PrefectRuntime) -> None:
    """Inside a flow (a deployed one) the body runs in that flow run; no second one is made."""
    from prefect import flow
    from prefect.context import FlowRunContext
    from prefect.settings import PREFECT_API_URL, temporary_settings

    seen: list[str] = []

    @flow(validate_parameters=False)
    def deployed() -> None:
        context = FlowRunContext.get()
        assert context is not None
        assert context.flow_run is not None
        seen.append(str(context.flow_run.id))
        for task in (make_task(Flaky(0), "a"), make_task(Flaky(0), "b", alone=False)):
            run(runtime, lambda task=task: runtime.submit(task).result())
            seen.append(runtime.info()["flow_run_id"])

    with temporary_settings({PREFECT_API_URL: api_url}):
        deployed()
    assert len(set(seen)) == 1
    assert len(seen) == 3


def test_an_api_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """A dead server is one error with its URL, and nothing of the body has run."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
    ran: list[str] = []
    with pytest.raises(PrefectUnreachable, match="runtime=inline") as caught:
        PrefectRuntime(lambda: url, tmp_path).run("dead", lambda: ran.append("body"), {}, "")
    assert url in str(caught.value)
    assert ran == []
