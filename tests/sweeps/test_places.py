"""How many jobs run side by side, on which GPUs, and what workers elsewhere must reach."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.config.schema import RuntimeNode
from headrace.config.sweep_settings import LauncherNode, SweeperNode, SweepSettings
from headrace.core.sweep import SweepRecord
from headrace.errors import ConfigError
from headrace.sweeps.lake_place import OtherLake, check_lake, lake_place
from headrace.sweeps.places import (
    check_gpus,
    check_place,
    is_here,
    jobs_side_by_side,
    open_reports,
    share_gpus,
    visible_gpus,
)
from headrace.sweeps.sources import Grid

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


@pytest.mark.parametrize(
    ("n_jobs", "cores", "total", "size"),
    [(None, 4, 12, 4), (None, 4, 2, 2), (None, 64, 12, 8), (None, 64, None, 8), (3, 1, 12, 3), (3, 1, 2, 2),
     (None, None, None, 1), (16, 2, None, 16), (None, 4, 0, 1)],
)  # fmt: skip
def test_jobs_side_by_side(
    n_jobs: int | None, cores: int | None, total: int | None, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One a core and eight at most where nobody says how many, and never more than there are jobs."""
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert jobs_side_by_side(LauncherNode(n_jobs=n_jobs), total) == size


class TestGpus:
    @pytest.mark.parametrize(
        ("per_job", "size", "shares"),
        [(None, 3, []), (1, 3, ["0", "2", "5"]), (2, 2, ["0,2", "5,7"]), (1, 4, ["0", "2", "5", "7"])],
    )
    def test_each_worker_has_its_own(
        self, per_job: int | None, size: int, shares: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No GPU is given twice, and what the environment hides is given to nobody."""
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0, 2,5,7")
        assert share_gpus(per_job, size) == shares

    @pytest.mark.parametrize(
        ("devices", "hint"), [("0,1,2", "type: hydra.launcher.n_jobs=1"), ("0", "leave it out")]
    )
    def test_too_few(self, devices: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """A wrong config, with the number of jobs that there are GPUs for."""
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", devices)
        with pytest.raises(ConfigError, match="2 jobs side by side need 4 GPUs") as caught:
            share_gpus(2, 2)
        assert caught.value.problems[0].hint == hint

    def test_where_nobody_says_how_many_jobs_there_are_as_many_as_gpus(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Cores beyond that bring nothing; who asks for more jobs than there are GPUs for is told."""
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
        monkeypatch.setattr(os, "cpu_count", lambda: 8)
        assert jobs_side_by_side(LauncherNode(gpus_per_job=1), 12) == 3
        assert jobs_side_by_side(LauncherNode(gpus_per_job=4), 12) == 1
        check_gpus(LauncherNode(gpus_per_job=1), 12)
        with pytest.raises(ConfigError, match="4 jobs side by side need 4 GPUs, there are 3"):
            check_gpus(LauncherNode(gpus_per_job=1, n_jobs=4), 12)
        with pytest.raises(ConfigError, match="1 job needs 4 GPUs, there are 3"):
            check_gpus(LauncherNode(gpus_per_job=4), 12)

    @pytest.mark.parametrize("said", ["", "-1"])
    def test_none_visible(self, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """An environment that hides all GPUs is believed."""
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
        assert visible_gpus() == []

    @pytest.mark.parametrize(
        ("script", "found"), [("printf '0\\n1\\n'", ["0", "1"]), ("echo no driver; exit 9", []), (None, [])]
    )
    def test_the_driver_is_asked(
        self, script: str | None, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the environment says nothing it is what the driver lists, or none where it lists nothing."""
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        if script is not None:
            tool = tmp_path / "nvidia-smi"
            tool.write_text(f"#!/bin/sh\n{script}\n")
            tool.chmod(0o755)
        assert visible_gpus() == found


HERE: Mapping[str, bool] = {
    "tcp://127.0.0.1:8786": True, "tcp://localhost:8786": True, "ray://[::1]:10001": True, "auto": True,
    "127.0.0.1:6379": True, "tcp://10.0.0.7:8786": False, "ray://head:10001": False, "head:6379": False,
    "tcp://localhost.example.org:1": False, "tls://scheduler": False,
}  # fmt: skip


@pytest.mark.parametrize("address", HERE)
def test_which_addresses_are_this_machine(address: str) -> None:
    """Only names that no other machine has are taken for this one."""
    assert is_here(address) is HERE[address]


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


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("192.0.2.1", r"nobody can listen at 192\.0\.2\.1 here"),  # of nobody: RFC 5737
        ("0.0.0.0", "means itself to every machine"),  # which is refused
        ("2130706433", r"'2130706433' is 127\.0\.0\.1 here"),
    ],
)
def test_an_address_to_report_to_is_one_that_others_reach(host: str, said: str) -> None:
    """One of another machine, of every machine, or a name for loopback is a wrong config."""
    settings = replace(at(None, pruner={"_target_": "x"}), launcher=LauncherNode(host=host))
    record = SweepRecord(
        id="s", experiment="e", flow="train", command="c", overrides=[], state="running",
        started="2026-01-01T00:00:00+00:00", seconds=0.0, objective={},
    )  # fmt: skip
    with (
        pytest.raises(ConfigError, match=said),
        open_reports(settings, Grid(record, {})),
    ):
        pass


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
