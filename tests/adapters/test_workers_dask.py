"""Workers of a Dask cluster, on real ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.adapters.workers_dask import DaskWorkers
from headrace.errors import ConfigError
from headrace.testing.workers import WorkersContract, act, collect, until

pytest.importorskip("prefect_dask")

pytestmark = [pytest.mark.slow]


class TestDaskWorkers(WorkersContract):
    """The contract, on a cluster of this machine."""

    @pytest.fixture
    def two(self) -> Iterator[DaskWorkers]:
        workers = DaskWorkers(2, act)
        yield workers
        workers.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster that was there before, with two workers."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def test_a_cluster_that_is_there_has_its_own_size(address: str) -> None:
    """Without a number, as many jobs run side by side as the cluster has workers."""
    workers = DaskWorkers(None, act, address)
    assert workers.size == 2
    workers.submit(0, {"do": "tell"})
    assert collect(workers, 1)[0].result != os.getpid()
    workers.close()
    workers.close()


def test_closing_leaves_the_cluster(address: str, tmp_path: Path) -> None:
    """After one sweep the workers of a standing cluster do the jobs of the next."""
    first, pids = DaskWorkers(1, act, address), []
    first.submit(0, {"do": "wait", "file": str(tmp_path / "go")})
    until(lambda: list(tmp_path.iterdir()))
    (tmp_path / "go").touch()
    pids.append(collect(first, 1)[0].result)
    first.close()
    second = DaskWorkers(2, act, address)
    for number in range(2):
        second.submit(number, {"do": "wait", "file": str(tmp_path / "go")})
    pids += [done.result for done in collect(second, 2).values()]
    second.close()
    assert len(set(pids)) == 2


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    """A wrong address is an error of the config that says so."""
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(ConfigError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"),
    ):
        DaskWorkers(None, act, "tcp://127.0.0.1:1")
