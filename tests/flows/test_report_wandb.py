"""`flows.report` keeps one report in W&B, shares it when told to, and fails for W&B only where asked to."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows import report
from headrace.adapters.record_files import RunRecords
from headrace.cli import main as headrace
from headrace.core.record import RunRecord
from headrace.errors import WrongWord
from headrace.testing.wandb import WandbServer
from tests.reports.runs import PIXEL, Bench

ENTITY, PROJECT = "stand-in-team", "beaks"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Desk:
    """A project with one run of which W&B knows, and the commands."""

    folder: Path
    say: Callable[[Callable[[], Any]], Said]

    def report(self, *words: str) -> Said:
        sys.argv[1:] = ["format=markdown", *words]  # a page takes seconds
        return self.say(report.main)

    def sync(self, *words: str) -> Said:
        return self.say(lambda: headrace(["sync", *words]))

    def keep(self, **wandb: Any) -> RunRecord:
        """Keep a run with what its tracker said."""
        bench = Bench(self.folder / ".headrace")
        record = bench.run({"figures": PIXEL}, metrics={"accuracy": 0.5}, wandb=wandb)
        RunRecords(self.folder / ".headrace" / "runs").write(record)
        return record

    def online(self, server: WandbServer) -> RunRecord:
        server.store.make_project(ENTITY, PROJECT)
        url = f"{server.url}/{ENTITY}/{PROJECT}/runs/run-1"
        return self.keep(id="run-1", project=PROJECT, entity=ENTITY, url=url, pending=[], done=[])

    def pending(self, run_id: str = "run-1") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.read(f"runs/{run_id}/run.json")["wandb"]["pending"]
        return found

    def read(self, path: str) -> Any:
        return json.loads((self.folder / ".headrace" / path).read_text())


@pytest.fixture
def desk(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Desk:
    monkeypatch.setattr(sys, "argv", ["report"])
    for name in ("HOME", "NETRC"):
        monkeypatch.setenv(name, str(tmp_path / "home"))

    def say(command: Callable[[], Any]) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            command()
        printed = capsys.readouterr()
        return Said(int(left.value.code or 0), printed.out, printed.err)

    return Desk(project, say)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """A stand-in, to which this process is led."""
    with WandbServer() as started:
        for name, value in started.environment.items():
            monkeypatch.setenv(name, value)
        yield started
        assert started.complaints == []


def test_shared_once_updated_and_revoked(desk: Desk, server: WandbServer, tmp_path: Path) -> None:
    """`share=true` prints a link that is in no file; later reports are the same; `share=false` ends it."""
    desk.online(server)
    shared = desk.report("run=run-1", "share=true", "wandb_seconds=120")
    (view,) = server.store.reports
    (token,) = view.active_tokens
    assert (shared.code, shared.out.count(token), shared.err.count(token)) == (0, 1, 0)
    assert f"{view.id}?accessToken={token}\n" in shared.out

    again = desk.report("run=run-1", "wandb_seconds=120")
    assert (again.code, view.saves, len(server.store.reports)) == (0, 2, 1)
    assert token not in again.out + again.err
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any(file.name == "wandb.json" for file in files)
    assert [file for file in files if token.encode() in file.read_bytes()] == []
    assert desk.read("reports/run-1/wandb.json") == {
        "id": view.id,
        "url": f"{server.url}/{ENTITY}/{PROJECT}/reports/Run-of-toy-run-1--{view.id}",
    }

    revoked = desk.report("run=run-1", "share=false", "wandb_seconds=120")
    assert (revoked.code, view.active_tokens, view.saves) == (0, [], 2)
    assert "link revoked" in revoked.out


def test_gone_server_costs_a_warning_and_sync_makes_up_for_it(desk: Desk, server: WandbServer) -> None:
    """The files are there, the report waits once, `wandb=true` fails for it, and `headrace sync` sends it."""
    desk.online(server)
    with server.gone():
        auto = desk.report("run=run-1", "wandb_seconds=120")
        wanted = desk.report("run=run-1", "wandb_seconds=120", "wandb=true")
    assert (auto.code, wanted.code) == (0, 1)
    assert "warning: no report in W&B" in auto.err
    assert "headrace sync run-1" in auto.out + auto.err
    assert (desk.folder / ".headrace" / "reports" / "run-1" / "report.md").is_file()
    assert desk.pending() == [{"kind": "report", "name": "run-1"}]

    synced = desk.sync("run-1")
    assert (synced.code, desk.pending(), len(server.store.reports)) == (0, [], 1)
    assert desk.read("reports/run-1/wandb.json")["id"] == server.store.reports[0].id
    assert "nothing was left to do" in desk.sync("run-1").out


def test_report_of_an_offline_run_waits(desk: Desk, server: WandbServer) -> None:
    """The report is left behind the log of its run; a link is refused with the command that comes first."""
    log = {"kind": "run", "dir": "/nowhere"}
    desk.keep(id="run-1", project=PROJECT, entity=None, dir="/nowhere", pending=[log], done=[])
    for words in ((), ("wandb=true",)):
        said = desk.report("run=run-1", *words)
        assert (said.code, said.err) == (0, "")
        assert "headrace sync run-1" in said.out
    assert desk.pending() == [log, {"kind": "report", "name": "run-1"}]
    shared = desk.report("run=run-1", "share=true")
    assert shared.code == 1
    assert "run run-1 was logged offline; first, type: headrace sync run-1" in shared.err
    assert server.requests == []


def test_no_key_leaves_it_for_later(desk: Desk, server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key nobody is asked, and the report waits; switched off, nothing waits."""
    desk.online(server)
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.delenv("WANDB_API_KEY")
    assert "no key for W&B" in desk.report("run=run-1").out
    assert len(desk.pending()) == 1
    monkeypatch.setenv("WANDB_MODE", "disabled")
    off = desk.report("run=run-1", "wandb=true")
    assert (off.code, "W&B is switched off" in off.err) == (1, True)


def test_run_that_no_tracker_knows(desk: Desk) -> None:
    """Where nothing is logged, nothing is said of W&B, unless it was asked for."""
    desk.keep()
    quiet, wanted = desk.report("run=run-1"), desk.report("run=run-1", "wandb=true")
    assert (quiet.code, quiet.err, "W&B" in quiet.out) == (0, "", False)
    assert (wanted.code, "none of these runs is logged" in wanted.err) == (1, True)


def test_missing_extra(desk: Desk, server: WandbServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without wandb-workspaces the page is made, and the warning or error says what to type."""
    desk.online(server)
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    auto, wanted = desk.report("run=run-1"), desk.report("run=run-1", "share=true")
    assert (auto.code, wanted.code) == (0, 1)
    for said in (auto, wanted):
        assert "pip install 'headrace[reports]'" in said.err
        assert "report.md" in said.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("wandb=yes",), "wandb='yes' is none of auto, true, false"),
        (("share=maybe",), "share='maybe' is neither true nor false"),
        (("share=true", "wandb=false"), "leave out wandb=false"),
        (("wandb_seconds=soon",), "type: wandb_seconds=45"),
    ],
)
def test_wrong_words(words: tuple[str, ...], told: str) -> None:
    """A word that means nothing is refused before anything is read."""
    with pytest.raises(WrongWord) as error:
        report.parse(["run=latest", *words])
    assert told in str(error.value)
