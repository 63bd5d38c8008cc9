"""Sweeps on real clusters of this machine, from the shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from headrace.adapters.server_prefect import LocalServer
from headrace.testing.workers import until
from tests.toy import Toy, toy

ROOT = Path(__file__).parents[2]
MARK = "TEST_STARTED_BY"  # in the environment of all that a command starts
PATIENCE_SECONDS = 240
pytestmark = [pytest.mark.server, pytest.mark.slow]

__all__ = ["toy"]


@pytest.fixture(scope="module")
def api_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = LocalServer(tmp_path_factory.mktemp("server"))
    try:
        yield server.ensure()
    finally:
        server.stop()


def started_by(mark: str) -> list[psutil.Process]:
    """Return the processes of a command that are still there."""
    found = psutil.process_iter(["environ"])
    return [process for process in found if (process.info["environ"] or {}).get(MARK) == mark]


@pytest.mark.parametrize("kind", ["dask", "ray"])
def test_a_sweep_runs_on_a_cluster_and_leaves_none(api_url: str, toy: Toy, kind: str) -> None:
    """Jobs come out as on workers of this machine, hang on one flow run, and no process stays."""
    pytest.importorskip(f"prefect_{kind}")
    mark = uuid4().hex
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    done = subprocess.run(
        [
            *(sys.executable, "-m", "flows.train", "-m", "+experiment=toy", "pipeline=bare"),
            *("stages.double.params.factor=2,3,4", "sweep.objective=total"),
            *(f"runtime={kind}", "runtime.n_workers=2"),
        ],
        cwd=toy.folder,
        env={**os.environ, "PYTHONPATH": path, "PREFECT_API_URL": api_url, MARK: mark},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert "Traceback" not in told
    assert "Warning" not in told
    (file,) = (toy.folder / ".headrace" / "sweeps").glob("*/sweep.json")
    record = json.loads(file.read_text())
    assert record["state"] == "succeeded"
    assert [trial["metrics"] for trial in record["trials"]] == [{"total": 6 * n} for n in (2, 3, 4)]
    assert record["prefect"]["url"].startswith(api_url.removesuffix("/api"))
    until(lambda: not started_by(mark))
