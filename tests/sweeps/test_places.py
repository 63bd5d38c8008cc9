"""Which workers a sweep may have, and what they must reach."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.config.schema import RuntimeNode
from headrace.config.sweep_settings import LauncherNode, SweeperNode, SweepSettings
from headrace.errors import ConfigError
from headrace.sweeps.lake_place import OtherLake, check_lake, lake_place
from headrace.sweeps.places import check_place, is_here, jobs_side_by_side, share_gpus

FAR = "tcp://cluster.example:8786"
SETTINGS = SweepSettings(
    objective={},
    publish="none",
    launcher=LauncherNode(),
    sweeper=SweeperNode(),
    runtime=RuntimeNode(kind="dask"),
    seed=0,
)


@pytest.fixture
def lake(tmp_path: Path) -> EmbeddedLake:
    return EmbeddedLake(tmp_path / "lake")


def at(address: str | None, **sweeper: Any) -> SweepSettings:
    runtime = RuntimeNode(kind="dask", address=address)
    return replace(SETTINGS, runtime=runtime, sweeper=SweeperNode(**sweeper))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "ray://localhost:1", "[::1]:6379", "auto"])
def test_this_machine_is_known_by_its_own_names(address: str) -> None:
    """Loopback addresses are here, with and without a scheme."""
    assert is_here(address)


@pytest.mark.parametrize("address", [FAR, "10.0.0.1:6379", "ray://localhost.example:1"])
def test_other_names_may_be_other_machines(address: str) -> None:
    """All else may be somewhere else."""
    assert not is_here(address)


@pytest.mark.parametrize("address", [None, "tcp://127.0.0.1:8786"])
def test_a_cluster_of_this_machine_needs_nothing(lake: EmbeddedLake, address: str | None) -> None:
    """The project's own server and an embedded lake serve workers of the same machine."""
    check_place(at(address, pruner={"_target_": "x"}), lake)


def test_what_far_workers_cannot_reach_is_said_at_once(
    lake: EmbeddedLake, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Prefect server, the lake and the address for interim scores are named together."""
    with pytest.raises(ConfigError) as caught:
        check_place(at(FAR, pruner={"_target_": "x"}), lake)
    assert [problem.where for problem in caught.value.problems] == [
        "runtime.address",
        "lake",
        "hydra.launcher.host",
    ]
    monkeypatch.setenv("PREFECT_API_URL", "https://prefect.example/api")
    check_place(at(FAR), EmbeddedLake(lake.root, shared_disk=True))


def test_an_api_on_loopback_is_no_server_for_others(
    lake: EmbeddedLake, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configured API that only this machine can reach is refused as none would be."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    with pytest.raises(ConfigError, match=r"cannot reach Prefect at http://127\.0\.0\.1:4200/api"):
        check_place(at(FAR), EmbeddedLake(lake.root, shared_disk=True))


def test_a_worker_with_another_lake_is_refused(lake: EmbeddedLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake of one machine is another one on another machine; a shared one is the same."""
    shared = EmbeddedLake(lake.root, shared_disk=True)
    places = {one: lake_place(one) for one in (lake, shared)}
    check_lake(lake, places[lake])
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    check_lake(shared, places[shared])
    with pytest.raises(OtherLake, match="of elsewhere"):
        check_lake(lake, places[lake])
    with pytest.raises(OtherLake, match="the lake of the sweep is on a server"):
        check_lake(shared, None)


def test_gpus_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each worker has devices of its own, by the names that this process knows them by."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3,GPU-a,GPU-b")
    assert share_gpus(2, 2) == ["2,3", "GPU-a,GPU-b"]
    assert share_gpus(1, 2) == ["2", "3"]
    assert share_gpus(None, 2) == []


@pytest.mark.parametrize(("seen", "hint"), [("0,1", "hydra.launcher.n_jobs=2"), ("", "leave it out")])
def test_too_few_gpus_are_told(monkeypatch: pytest.MonkeyPatch, seen: str, hint: str) -> None:
    """Where not every worker would have its own, the error says how many would."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    with pytest.raises(ConfigError, match=hint):
        share_gpus(1, 3)


def test_no_more_workers_than_jobs() -> None:
    """Two jobs take two workers, however many were asked for."""
    assert jobs_side_by_side(LauncherNode(n_jobs=4), 2) == 2
    assert jobs_side_by_side(LauncherNode(n_jobs=4), None) == 4
