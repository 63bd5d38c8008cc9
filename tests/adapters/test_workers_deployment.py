"""Workers that run a Prefect deployment, on a real server with a real process worker."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from headrace.adapters.server_prefect import LocalServer
from headrace.adapters.workers_deployment import RESULT_KEY, DeploymentWorkers, NoResult
from headrace.errors import ConfigError
from headrace.testing.workers import collect
from tests.toy import CODE, CONF, PIPELINE

ROOT = Path(__file__).parents[2]
POOL = "toys"
PATIENCE_SECONDS = 240
pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that a worker finds too."""
    made = tmp_path_factory.mktemp("project")
    for name, text in {
        "conf/experiment/toy.yaml": CONF.replace("/runtime: inline", "/runtime: local").lstrip(),
        "conf/pipeline/bare.yaml": PIPELINE.lstrip(),
        "toy_stages.py": CODE,
        "toy_helper.py": "def scale(x, factor):\n    return x * factor\n",
        "data.txt": "1 2 3",
    }.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    return made


@pytest.fixture(scope="module")
def api_url(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[str]:
    """One server for this file, with a pool and two deployments; of `other` the flow is none of ours."""
    server = LocalServer(tmp_path_factory.mktemp("server"))
    try:
        url = server.ensure()
        with asked(url) as client:
            _deploy(client, folder)
        yield url
    finally:
        server.stop()


def _deploy(client: Any, folder: Path) -> None:
    from prefect import flow
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.types.entrypoint import EntrypointType

    from flows.train import train

    @flow(name="other")
    def other(words: list[str]) -> None:
        raise AssertionError("never run")

    client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    for one, variables in ((train, {"working_dir": str(folder)}), (other, {})):
        one.to_deployment(
            "here",
            work_pool_name=POOL,
            entrypoint_type=EntrypointType.MODULE_PATH,
            job_variables=variables,
        ).apply()


@contextmanager
def asked(url: str) -> Iterator[Any]:
    """Give a client of the test's server, which is also the one that adapters take."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def client(api_url: str) -> Iterator[Any]:
    with asked(api_url) as client:
        yield client


def payload(sweep: str, *words: str) -> dict[str, Any]:
    return {"sweep": sweep, "overrides": list(words), "params": {}, "flow_run": None, "lake": None}


def end(client: Any, flow_run_id: str, state: str, data: dict[str, Any] | None = None) -> None:
    """Do what a worker would: leave a result, and end the flow run."""
    from prefect.client.schemas.actions import ArtifactCreate
    from prefect.client.schemas.objects import State

    if data is not None:
        made = ArtifactCreate(
            type="json", key=RESULT_KEY, data=json.dumps(data), flow_run_id=UUID(flow_run_id)
        )
        client.create_artifact(made)
    client.set_flow_run_state(UUID(flow_run_id), State(type=state, message="so it ends"), force=True)


def test_each_end_of_a_flow_run_is_told(client: Any) -> None:
    """A result comes out as it was left, also NaN; no result is an error; a crash is a loss."""
    workers, sweep = DeploymentWorkers(4, "train/here", uuid4().hex), uuid4().hex
    runs = [workers.submit(number, payload(sweep)) for number in range(4)]
    assert all(runs)
    assert workers.wait(0.0) is None
    end(client, str(runs[0]), "COMPLETED", {"state": "succeeded", "metrics": {"loss": math.nan}})
    end(client, str(runs[1]), "COMPLETED")
    end(client, str(runs[2]), "CRASHED")
    end(client, str(runs[3]), "CANCELLED")
    done = collect(workers, 4)
    workers.close()
    assert math.isnan(done[0].result["metrics"]["loss"])
    assert isinstance(done[1].error, NoResult)
    assert "so it ends" in str(done[1].error)
    assert done[2].lost
    assert done[3].result["state"] == "interrupted"


def test_a_job_waits_for_its_turn_and_is_submitted_once(client: Any) -> None:
    """With a size of one the second job comes after the first; a later process finds what was submitted."""
    sweep = uuid4().hex
    first = DeploymentWorkers(1, "train/here", sweep)
    run = first.submit(0, payload(sweep))
    assert first.submit(1, payload(sweep)) is None
    first.close()
    second = DeploymentWorkers(1, "train/here", sweep)
    assert second.submit(0, payload(sweep)) == run
    second.submit(1, payload(sweep))
    end(client, str(run), "COMPLETED", {"state": "succeeded"})
    assert collect(second, 1)[0].result == {"state": "succeeded"}
    assert len(second._running) == 1
    second.close()


def test_what_was_submitted_for_another_point_is_not_taken(client: Any) -> None:
    """A number alone does not say that a flow run does the job: its overrides do."""
    sweep = uuid4().hex
    first = DeploymentWorkers(2, "train/here", sweep)
    runs = [first.submit(number, payload(sweep, "model.C=1")) for number in range(2)]
    first.close()
    second = DeploymentWorkers(2, "train/here", sweep)
    assert second.submit(0, payload(sweep, "model.C=1")) == runs[0]
    assert second.submit(1, payload(sweep, "model.C=2")) not in runs
    second.close()


def test_an_interrupt_cancels(client: Any) -> None:
    """Jobs that nobody has begun are cancelled at once, and say so."""
    sweep = uuid4().hex
    workers = DeploymentWorkers(2, "train/here", sweep)
    for number in range(2):
        workers.submit(number, payload(sweep))
    workers.interrupt()
    done = collect(workers, 2)
    workers.close()
    assert [done[number].result["state"] for number in (0, 1)] == ["interrupted"] * 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("train/her", "there is no deployment 'train/her'.*\n.*train/here"),
        ("other/here", "takes no overrides and no sweep, but: words"),
    ],
)
def test_a_deployment_that_cannot_serve_is_named(client: Any, name: str, said: str) -> None:
    """One that is not there, or whose flow takes other parameters, is an error of the config."""
    with pytest.raises(ConfigError, match=said):
        DeploymentWorkers(1, name, uuid4().hex)


def test_a_secret_is_not_sent(client: Any) -> None:
    """Prefect shows parameters, so an override that is secret is refused."""
    workers = DeploymentWorkers(1, "train/here", uuid4().hex)
    with pytest.raises(ConfigError, match=r"lake\.secret_access_key: is secret"):
        workers.submit(0, payload(uuid4().hex, "lake.secret_access_key=abc"))
    workers.close()


@contextmanager
def process_worker(api_url: str, log: Path) -> Iterator[None]:
    env = {**environment(api_url), "PREFECT_WORKER_QUERY_SECONDS": "1"}
    words = ["worker", "start", "--pool", POOL, "--type", "process", "--limit", "2"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", *words],
            env=env,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def environment(api_url: str) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, "PREFECT_API_URL": api_url}


def test_a_sweep_is_submitted_and_collected_later(
    api_url: str, client: Any, folder: Path, tmp_path: Path
) -> None:
    """With wait=false a command submits all jobs and leaves; resumed, the sweep has what a worker made."""

    def train(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flows.train", "-m", *words],
            cwd=folder,
            env=environment(api_url),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    def record() -> Any:
        (file,) = (folder / ".headrace" / "sweeps").glob("*/sweep.json")
        return json.loads(file.read_text())

    left = train(
        *("+experiment=toy", "pipeline=bare", "stages.double.params.factor=2,3", "sweep.objective=total"),
        *("hydra.launcher.mode=deployment", "hydra.launcher.deployment=train/here"),
        "hydra.launcher.wait=false",
    )
    assert left.returncode == 0, left.stderr
    assert "resume=" in left.stdout
    assert [trial["state"] for trial in record()["trials"]] == ["running", "running"]
    submitted = [trial["flow_run"] for trial in record()["trials"]]
    with process_worker(api_url, tmp_path / "worker.log"):
        done = train("resume=latest", "hydra.launcher.wait=true")
    told = done.stdout + done.stderr + (tmp_path / "worker.log").read_text()
    assert done.returncode == 0, told
    trials = record()["trials"]
    assert [trial["metrics"] for trial in trials] == [{"total": 12}, {"total": 18}], told
    assert {trial["state"] for trial in trials} == {"succeeded"}
    assert [trial["flow_run"] for trial in trials] == submitted
    for flow_run_id in submitted:
        run = client.read_flow_run(UUID(flow_run_id))
        assert run.state.is_completed()
        assert run.parent_task_run_id is not None
