"""A report in W&B is one report: made, updated, found again, shared and revoked by W&B's own client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.report_wandb import Document, Place, WandbReports, read_kept, write_kept
from headrace.adapters.report_wandb import document as parts
from headrace.adapters.tracker_wandb import WandbTracker
from headrace.core.artifact import Artifact
from headrace.core.lineage import refer_to_model, refer_to_source
from headrace.errors import SharedReportError
from headrace.testing.wandb import Fault, WandbServer

ENTITY, PROJECT = "stand-in-team", "beaks"
COMMIT = "c0ffee" * 10
HOME = Place(None, PROJECT, "r1")
PLACES = {"run-1": HOME, "run-2": Place(ENTITY, PROJECT, "r2")}
TEXT = "The beak is **long**."


def make_document(name: str = "run-1", **changes: Any) -> Document:
    known = {
        "name": name,
        "title": f"Run of birds {name}",
        "subtitle": "started today",
        "blocks": (parts.heading("Summary"), parts.markdown(TEXT)),
    }
    return Document(**{**known, **changes})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WandbServer]:
    """A stand-in with the project, to which this process is led."""
    folder = tmp_path_factory.mktemp("account")
    with WandbServer() as started, pytest.MonkeyPatch.context() as patch:
        for name, value in {**started.environment, "HOME": str(folder), "NETRC": str(folder / "no")}.items():
            patch.setenv(name, value)
        patch.setenv("WANDB_MODE", "offline")  # what a report wants is asked of the caller, not of this
        started.store.make_project(ENTITY, PROJECT)
        yield started
        assert started.complaints == []


@pytest.fixture(scope="module")
def reports(server: WandbServer) -> Iterator[WandbReports]:
    """One process for all tests: the client takes seconds to start."""
    with WandbReports(120) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _empty(server: WandbServer) -> None:
    server.faults.clear()
    server.store.views.clear()


def spec_of(server: WandbServer, report_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(server.store.views[report_id].spec)
    return found


def test_saved_as_a_report_in_the_project_of_the_run(server: WandbServer, reports: WandbReports) -> None:
    """A report has its title, its text, and a description with the word by which it is found."""
    saved = reports.save(make_document(), HOME, PLACES)
    (view,) = server.store.reports
    assert (view.id, view.type, view.display_name) == (saved.id, "runs", "Run of birds run-1")
    assert view.description == "started today headrace:run-1"
    assert saved.url == f"{server.url}/{ENTITY}/{PROJECT}/reports/Run-of-birds-run-1--{saved.id}"
    assert (saved.created, saved.share) == (True, None)
    texts = [block["content"] for block in view.blocks if block["type"] == "markdown-block"]
    assert texts == [TEXT]


def test_panels_are_over_the_runs(server: WandbServer, reports: WandbReports) -> None:
    """The grid holds a run set of these very runs, a comparer, bars, parallel coordinates and importance."""
    panels = [
        parts.run_comparer(only_differences=True),
        parts.bars(["accuracy"]),
        parts.parallel_coordinates({"model.C": True}, {"accuracy": "maximize"}),
        parts.importance("accuracy"),
    ]
    document = make_document(blocks=(parts.grid(["run-1", "run-2", "deleted"], panels),))
    saved = reports.save(document, HOME, PLACES)
    (grid,) = [block for block in spec_of(server, saved.id)["blocks"] if block["type"] == "panel-grid"]
    (runset,) = grid["metadata"]["runSets"]
    assert json.dumps(["r1", "r2"]) in json.dumps(runset["filters"])
    made = {
        panel["viewType"]: panel["config"] for panel in grid["metadata"]["panelBankSectionConfig"]["panels"]
    }
    assert made["Run Comparer"]["diffOnly"] == "split"
    assert made["Parameter Importance"]["targetKey"] == "accuracy"
    columns = made["Parallel Coordinates Plot"]["columns"]
    assert [column["accessor"] for column in columns] == ["config:model.value.C", "summary:accuracy"]
    assert columns[0]["log"] is True


def test_updated_where_it_is_known(server: WandbServer, reports: WandbReports, tmp_path: Path) -> None:
    """A second save changes the same report, of which comments stay; only id and URL are kept."""
    saved = reports.save(make_document(), HOME, PLACES)
    write_kept(tmp_path, replace(saved, share="a link"))
    assert json.loads((tmp_path / "wandb.json").read_text()) == {"id": saved.id, "url": saved.url}
    view = server.store.views[saved.id]
    view.spec = json.dumps({**json.loads(view.spec), "discussionThreads": [{"id": "hm"}]})
    again = reports.save(make_document(title="New"), HOME, PLACES, read_kept(tmp_path))
    assert (again.id, again.created, view.saves, view.display_name) == (saved.id, False, 2, "New")
    assert spec_of(server, saved.id)["discussionThreads"] == [{"id": "hm"}]


def test_found_again_where_it_is_not_known(server: WandbServer, reports: WandbReports) -> None:
    """Without the file the server is searched, through all pages, and another's report is left alone."""
    other = reports.save(make_document("run-12"), HOME, PLACES)
    saved = reports.save(make_document(), HOME, PLACES)
    again = reports.save(make_document(), HOME, PLACES)
    stale = reports.save(make_document(), HOME, PLACES, {"id": "Vmlldzo5OTk", "url": saved.url})
    assert [again.id, stale.id] == [saved.id, saved.id]
    assert {view.id: view.saves for view in server.store.reports} == {other.id: 1, saved.id: 3}


def test_made_anew_where_it_was_deleted(server: WandbServer, reports: WandbReports) -> None:
    """A report that somebody deleted in W&B is made again."""
    saved = reports.save(make_document(), HOME, PLACES)
    server.store.views.clear()
    again = reports.save(make_document(), HOME, PLACES, {"id": saved.id, "url": saved.url})
    assert again.created
    assert len(server.store.reports) == 1


def test_shared_and_revoked(server: WandbServer, reports: WandbReports) -> None:
    """A link is made once and stays the same until it is revoked; then none is left, nor shown in a repr."""
    first = reports.save(make_document(), HOME, PLACES, share=True)
    again = reports.save(make_document(), HOME, PLACES, share=True)
    (token,) = server.store.views[first.id].active_tokens
    assert first.share == again.share == f"{first.url}?accessToken={token}"
    assert token not in repr(first)
    known = {"id": first.id, "url": first.url}
    answers = [reports.revoke("run-1", HOME, known), reports.revoke("run-1", HOME), reports.revoke("x", HOME)]
    assert answers == [True, False, None]
    assert server.store.views[first.id].active_tokens == []


def test_refusal_says_why_and_makes_nothing(server: WandbServer, reports: WandbReports) -> None:
    """A key that the server refuses is an error, after which the same client goes on."""
    server.faults.add(Fault(kind="status", status=401, times=None))
    with pytest.raises(SharedReportError, match="W&B: "):
        reports.save(make_document(), HOME, PLACES)
    server.faults.clear()
    assert server.store.reports == []
    assert reports.save(make_document(), HOME, PLACES).created


def test_token_is_in_no_error(server: WandbServer, reports: WandbReports) -> None:
    """Where a link cannot be revoked, the error does not name its token."""
    saved = reports.save(make_document(), HOME, PLACES, share=True)
    (token,) = server.store.views[saved.id].active_tokens
    server.faults.add(Fault(kind="status", status=400, operation="revokeAccessToken"))
    with pytest.raises(SharedReportError) as error:
        reports.revoke("run-1", HOME)
    assert token not in str(error.value)


def test_server_that_is_gone_is_told_at_once(server: WandbServer) -> None:
    """Where nobody listens, the error names the host, and nothing is tried for long."""
    with server.gone(), WandbReports(60) as gone, pytest.raises(SharedReportError, match="reached"):
        gone.save(make_document(), HOME, PLACES)


def test_server_that_says_nothing_costs_a_bounded_wait(server: WandbServer) -> None:
    """Where no answer comes in time, the call ends with an error that says so."""
    server.faults.add(Fault(kind="slow", seconds=60, times=None))
    with WandbReports(0.5) as silent, pytest.raises(SharedReportError, match=r"did not answer in 0\.5 s"):
        silent.save(make_document(), HOME, PLACES)


def test_missing_extra_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without wandb-workspaces nothing is started, and the error has the command that installs it."""
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    with pytest.raises(SharedReportError, match=r"pip install 'headrace\[reports\]'"):
        WandbReports().save(make_document(), HOME, PLACES)


def test_nothing_of_it_stays_on_this_machine(
    server: WandbServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's logs and caches are gone with its process, and no import of ours loads it."""
    monkeypatch.chdir(tmp_path)
    script = "import sys, headrace.adapters.report_wandb; print('wandb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    with WandbReports(120) as short:
        assert short.save(make_document(), HOME, PLACES, share=True).share
    assert list(tmp_path.iterdir()) == []
    assert not [p for p in Path(os.environ["HOME"]).rglob("*") if p.is_file()]


def test_links_lead_to_where_w_and_b_is_shown(server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app below a path of its host, as W&B's is by now, keeps that path in the URL and in the link."""
    monkeypatch.setenv("WANDB_APP_URL", "https://example.org/wandb")
    with WandbReports(120) as elsewhere:
        saved = elsewhere.save(make_document(), HOME, PLACES, share=True)
        again = elsewhere.save(make_document(), HOME, PLACES, {"id": saved.id, "url": saved.url})
    (token,) = server.store.views[saved.id].active_tokens
    assert saved.url == f"https://example.org/wandb/{ENTITY}/{PROJECT}/reports/Run-of-birds-run-1--{saved.id}"
    assert saved.share == f"{saved.url}?accessToken={token}"
    assert (again.id, again.created) == (saved.id, False)


def test_lineage_is_what_the_server_has(server: WandbServer, tmp_path: Path, reports: WandbReports) -> None:
    """The data read, the model made and the figures are linked by their versions; of no run nothing is."""
    log_run(tmp_path)
    blocks = (parts.lineage("run-1"), parts.lineage("run-2"), parts.lineage("deleted"))
    saved = reports.save(make_document(blocks=blocks), HOME, PLACES)
    found = spec_of(server, saved.id)["blocks"]
    (text,) = [block["content"] for block in found if block["type"] == "markdown-block"]
    base = f"{server.url}/{ENTITY}/{PROJECT}/artifacts"
    assert f"| read | [lake-data-birds.csv:v0]({base}/dataset/lake-data-birds.csv/v0) | dataset |" in text
    assert f"| made | [birds:v0]({base}/model/birds/v0) | model |" in text
    assert f"[roc]({base}/figures/figures/v0/files/roc.png)" in text
    assert sum(block["type"] == "weave-panel" for block in found) == 2


def log_run(folder: Path) -> None:
    """Log a run online that reads data, makes a model, and has a figure."""
    source = {"uri": "lake:data/birds.csv", "bytes": 12, "files": {"data/birds.csv": "sha256:b1bd"}}
    package = Artifact(digest="sha256:1", bytes=5, codec="estimator", uri=f"lake://{COMMIT}/r/model.skops")
    picture = folder / "roc.png"
    picture.write_bytes(b"png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "online")
        tracker = WandbTracker(
            PROJECT, dir=folder / "wandb", init_timeout_seconds=60, finish_timeout_seconds=60
        )
        tracker.start("r1", "birds", {}, [])
        tracker.use(refer_to_source(source, "sha256:b1bd", "lakefs:http://lake.example.org/aviary", COMMIT))
        tracker.attach("figures", "figures", {"roc.png": picture}, {})
        tracker.model(refer_to_model("birds", package, "embedded:/lake", {}), dict)
        tracker.finish("succeeded", {"accuracy": 0.5})
    assert "url" in tracker.info()
