"""The real client online, against a stand-in for W&B's server: lineage, and every way to lose the server.

A test that loses it checks what the user needs: the run goes on, says once what happened, and everything
is in a log that can be sent later.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.tracker_wandb import WandbTracker
from headrace.testing.wandb import Fault, WandbServer
from tests.wandb_runs import DATA, birds_model, kept, log_run, read_log, server, started

__all__ = ["kept", "server", "started"]

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("online") / "wandb"


@dataclass(frozen=True)
class Place:
    """Where a test logs: a project of its own, in the folder whose recorder is kept."""

    folder: Path
    files: Path
    project: str
    run: str


@pytest.fixture
def place(folder: Path, tmp_path: Path) -> Place:
    number = next(_numbers)
    return Place(folder, tmp_path, f"beaks-{number}", f"20261124-100000-{number}")


def online(place: Place, **settings: Any) -> WandbTracker:
    timeouts = {"init_timeout_seconds": 2, "finish_timeout_seconds": 20}
    return WandbTracker(**{"project": place.project, "dir": place.folder, **timeouts, **settings})


def test_a_run_and_its_lineage_are_there(server: WandbServer, place: Place) -> None:
    """Figures, tables and references arrive; the published version has its aliases and its link."""
    logged = online(place, registry="model")
    log_run(logged, place.files, place.run, version=1)
    info = logged.info()
    run = server.store.run(place.run)
    assert (run.state, run.exit_code, run.group, run.job_type) == ("finished", 0, "birds", "train")
    assert (run.summary["accuracy"], run.summary["state"]) == (0.75, "succeeded")
    assert [line["train/loss"] for line in run.history if "train/loss" in line] == [1.0, 0.5, 1 / 3]
    assert [one.sequence.name for one in run.used] == [DATA.name]
    assert {one.sequence.name for one in run.logged} == {"validation", "birds"}
    assert set(server.store.artifact(f"{place.project}/validation").files) == {
        "validation.json",
        "failures.table.json",
    }
    model = server.store.artifact(f"{place.project}/birds:production")
    assert {"candidate", "birds-v1", "production"} <= model.aliases
    assert model.metadata["version"] == 1
    (link,) = model.links
    assert link.endswith("/wandb-registry-model/birds")
    assert {"birds-v1", "production"} <= model.links[link]
    assert (info["pending"], [entry["kind"] for entry in info["done"]]) == ([], ["alias", "link"])
    assert info["url"].endswith(f"/{place.project}/runs/{place.run}")


def test_figures_are_media_of_the_run(server: WandbServer, place: Place) -> None:
    """A picture is shown on the run's own page, and is a file of the artifact beside its specification."""
    picture, spec = place.files / "roc.png", place.files / "roc.json"
    picture.write_bytes(PIXEL)
    spec.write_text("{}")
    logged = online(place)
    logged.start(place.run, "birds", {}, [])
    logged.attach("figures", "figures", {picture.name: picture, spec.name: spec}, {})
    logged.finish("succeeded", {})
    shown = server.store.run(place.run).summary["figures/roc"]
    assert (shown["_type"], shown["format"]) == ("image-file", "png")
    assert shown["path"] in server.store.run(place.run).files
    assert set(server.store.artifact(f"{place.project}/figures").files) == {"roc.png", "roc.json"}


def test_the_same_content_is_one_version(server: WandbServer, place: Place) -> None:
    """A second run on the same data uses the version that is there, and its model takes the alias."""
    for version in (1, 2):
        logged = online(place)
        log_run(logged, place.files, f"{place.run}-{version}x", version)
        assert logged.info()["pending"] == []
    data = server.store.collection(f"{place.project}/{DATA.name}")
    assert len(data.versions) == 1
    assert [run.name for run in data.versions[0].artifact.used_by] == [f"{place.run}-1x", f"{place.run}-2x"]
    models = server.store.collection(f"{place.project}/birds")
    assert [version.aliases & {"production"} for version in models.versions] == [set(), {"production"}]


def test_the_id_of_a_deleted_run_gets_an_attempt(server: WandbServer, place: Place) -> None:
    """Where W&B never gives an id again, the next attempt has a number behind it."""
    server.store.deleted |= {place.run, f"{place.run}-2"}
    logged = online(place)
    log_run(logged, place.files, place.run)
    assert logged.info()["id"] == f"{place.run}-3"
    assert server.store.run(f"{place.run}-3").state == "finished"


def lost(logged: WandbTracker, run_id: str, caplog: pytest.LogCaptureFixture) -> None:
    """Check what is known of a run that was logged offline in the end: it is whole, and it was said once."""
    info = logged.info()
    records = read_log(Path(info["dir"]))
    figures = {name: value for one in records["summary"] for name, value in one["update"].items()}
    assert (figures["accuracy"], figures["state"]) == (0.75, "succeeded")
    losses = [line["item"]["train/loss"] for line in records["history"] if "train/loss" in line["item"]]
    assert losses == [1.0, 0.5, 1 / 3]
    assert [one["exit_code"] for one in records["exit"]] == [0]
    assert {one["name"] for one in records["artifact"]} == {DATA.name, "validation", "birds"}
    assert [entry["kind"] for entry in info["pending"]] == ["run", "alias"]
    assert info["done"] == []
    said = [record.getMessage() for record in caplog.records if "W&B" in record.getMessage()]
    assert len(said) == 1
    assert f"headrace sync {run_id}" in said[0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=401, times=None),
        Fault(kind="status", status=429, times=None),
        Fault(kind="status", status=500, times=None),
        Fault(kind="slow", seconds=60, times=None),
    ],
    ids=["401", "429", "500", "slow"],
)
def test_a_server_that_opens_no_run(
    fault: Fault,
    server: WandbServer,
    place: Place,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A run that cannot be opened online is logged offline from its start."""
    server.faults.add(fault)
    logged = online(place)
    log_run(logged, place.files, place.run)
    lost(logged, place.run, caplog)
    assert place.run not in server.store.runs


def test_a_server_that_is_gone(server: WandbServer, place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Without a server the run is logged offline; so is the next of this process, which says nothing more."""
    with server.gone():
        logged = online(place)
        log_run(logged, place.files, place.run)
        lost(logged, place.run, caplog)
        caplog.clear()
        again = online(place)
        log_run(again, place.files, f"{place.run}-again")
        assert "dir" in again.info()
        assert caplog.text == ""


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", operation="file_stream", status=401, times=None),
        Fault(kind="status", operation="CommitArtifact", status=500, times=None),
        Fault(kind="slow", operation="CreateArtifact", seconds=60, times=None),
    ],
    ids=["401", "500", "slow"],
)
def test_a_server_that_does_not_take_it_all(
    fault: Fault,
    server: WandbServer,
    place: Place,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A run that was opened online and cannot be sent to its end is logged once more, offline and whole."""
    server.faults.add(fault)
    logged = online(place, init_timeout_seconds=20, finish_timeout_seconds=2)
    log_run(logged, place.files, place.run)
    lost(logged, place.run, caplog)


def test_a_server_that_goes_while_running(
    server: WandbServer, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that is gone at the end of a run costs it nothing but the bounded wait."""
    logged = online(place, init_timeout_seconds=20, finish_timeout_seconds=2)
    logged.start(place.run, "birds", {}, [])
    while "url" not in logged.info():
        pass
    with server.gone():
        log_run(logged, place.files, place.run)
        lost(logged, place.run, caplog)


def test_what_comes_after_the_run_waits_alone(
    server: WandbServer, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the run arrived and an alias did not, only the alias and what follows it are left to do."""
    server.faults.add(Fault(kind="status", operation="AddAliases", status=403, times=None))
    logged = online(place, registry="model")
    log_run(logged, place.files, place.run)
    info = logged.info()
    assert server.store.run(place.run).state == "finished"
    assert [entry["kind"] for entry in info["pending"]] == ["alias", "link"]
    assert "dir" not in info
    assert f"headrace sync {place.run}" in caplog.text


def test_a_rejected_model_stays_a_candidate(server: WandbServer, place: Place) -> None:
    """A model that is not published is there as a candidate, and has no other alias but its own."""
    logged = online(place)
    log_run(logged, place.files, place.run, version=None)
    model = server.store.artifact(f"{place.project}/birds:candidate")
    assert model.aliases == {"candidate", "latest", birds_model("0" * 64).alias}


def test_a_champion_with_files_is_the_version_that_is_there(server: WandbServer, place: Place) -> None:
    """Where models' files go along, a run uses the version with files; one that is not there is told."""
    weights = place.files / "weights.bin"
    weights.write_bytes(b"weights")
    champion = birds_model("c" * 64)
    made = online(place, upload_models=True)
    made.start(f"{place.run}-first", "birds", {}, [])
    made.model(champion, lambda: {"weights.bin": weights})
    made.finish("succeeded", {})
    later = online(place, upload_models=True)
    later.start(place.run, "birds", {}, [])
    later.use(champion)
    later.use(birds_model("d" * 64))
    later.finish("succeeded", {})
    assert later.info()["pending"] == []
    (used,) = server.store.run(place.run).used
    assert set(used.files) == {"weights.bin"}
    assert len(server.store.collection(f"{place.project}/birds").versions) == 1
