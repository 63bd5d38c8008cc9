"""Workers of a Ray cluster, on a real one of this machine."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from headrace.adapters.workers_ray import RayWorkers
from headrace.errors import ConfigError
from headrace.testing.workers import WorkersContract, act, collect

pytest.importorskip("prefect_ray")

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster for all tests of this module: one takes ten seconds to start."""
    before = signal.getsignal(signal.SIGTERM)
    first = RayWorkers(2, act)
    assert signal.getsignal(signal.SIGTERM) is before  # Ray would let it leave the process
    yield
    first.close()


class TestRayWorkers(WorkersContract):
    """The contract."""

    @pytest.fixture
    def two(self, cluster: None) -> Iterator[RayWorkers]:
        workers = RayWorkers(2, act)  # joins the cluster that this process has
        yield workers
        workers.close()


def test_a_cluster_that_is_there_has_its_own_size(cluster: None) -> None:
    """Without a number, as many jobs run side by side as the cluster has CPUs."""
    workers = RayWorkers(None, act)
    assert workers.size == 2
    workers.submit(0, {"do": "tell"})
    assert collect(workers, 1)[0].error is None
    workers.close()
    workers.close()


def test_a_cluster_that_does_not_answer_is_named() -> None:
    """A wrong address is an error of the config that says so, at once."""
    with pytest.raises(ConfigError, match=r"no Ray cluster answers at 127\.0\.0\.1:1 "):
        RayWorkers(None, act, "127.0.0.1:1")
