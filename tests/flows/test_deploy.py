"""`python -m flows.deploy` from the words to the exit code, on runs of a small project."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.deploy import undo_command
from headrace.adapters.record_files import RunRecords
from headrace.deploy.journal import Deployment
from headrace.registry import move_alias
from tests.deploy.arena import Arena, Deploy, arena, deploy, toy

__all__ = ["arena", "deploy", "toy"]

Capture = pytest.CaptureFixture[str]


def test_a_better_run_is_promoted(arena: Arena, deploy: Deploy, capsys: Capture) -> None:
    """What moved, the gate, lake and services are told, and the command that undoes it."""
    first, second = arena.run(2), arena.run(3)
    assert deploy("rollback=true") == 0
    capsys.readouterr()
    assert deploy(f"run={second[:20]}") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "gate     yes, against version 1"
    assert lines[2] == f"alias    toy@production: version 1 → version 2  (run {second})"
    assert lines[3].startswith("lake     commit ")
    assert lines[4] == "service  none is running here that answers by it"
    assert lines[-1] == "python -m flows.deploy model=toy rollback=true"
    last = arena.last()
    assert (last["from"], last["to"], last["why"], last["forced"]) == (1, 2, "promote", None)
    assert [check["passed"] for check in last["checks"]] == [True]
    assert arena.states() == ["done", "done"]
    assert first


def test_a_no_changes_nothing(arena: Arena, deploy: Deploy, capsys: Capture) -> None:
    """Exit code 3, the checks that failed, and what to type; with a reason it goes on, and keeps both."""
    first = arena.run(2)
    arena.run(3)
    head = arena.lake.resolve("main")
    assert deploy(f"run={first}") == 3
    said = capsys.readouterr()
    assert "total: found -6, wanted min_gain 0" in said.err
    assert "force=" in said.err
    assert (arena.lake.resolve("main"), arena.states()) == (head, [])
    assert deploy(f"run={first}", "force=a demo, really") == 0
    assert "forced   a demo, really  (1 of 1 checks failed)" in capsys.readouterr().out
    last = arena.last()
    assert (last["to"], last["forced"], last["checks"][0]["passed"]) == (1, "a demo, really", False)


def test_a_run_that_was_rejected_is_published_by_force(arena: Arena, deploy: Deploy) -> None:
    """Version and alias come by one merge, from the run's branch; its record here says so."""
    arena.run(3)
    low = arena.run(2)
    assert arena.aliases() == {"production": 1}
    before = arena.lake.resolve("main")
    assert deploy(f"run={low}") == 3
    assert deploy("run=latest", "force=it is smaller") == 0
    head = arena.lake.log("main", limit=1, first_parent=True)[0]
    assert head.parents[0] == before
    assert arena.aliases() == {"production": 2}
    assert arena.registry()["versions"][1]["run"] == low
    record = RunRecords(arena.root / "runs").read(low)
    assert (record.state, record.published) == (
        "rejected",
        {"commit": head.id, "model": "toy", "version": 2, "alias": "production"},
    )
    assert arena.lake.resolve("toy-v2") == head.id
    assert arena.lake.stat("main", f"runs/{low}/run.json")


def test_a_run_that_was_not_to_publish_is(arena: Arena, deploy: Deploy) -> None:
    """So is a job of a sweep; to staging it needs no gate, and from there production asks it."""
    arena.run(3)
    job = arena.run(4, "publish=false")
    assert deploy(f"run={job}", "alias=staging") == 0
    assert arena.aliases() == {"production": 1, "staging": 2}
    assert arena.last()["checks"] == []
    assert deploy("promote=staging") == 0
    assert arena.aliases() == {"production": 2, "staging": 2}
    assert arena.last()["checks"][0]["found"] == 6


def test_a_run_of_another_machine_is_read_from_the_lake(arena: Arena, deploy: Deploy) -> None:
    """Its record is on its branch, or on `main`; an id that is nowhere is told."""
    arena.run(3)
    job, records = arena.run(4, "publish=false"), RunRecords(arena.root / "runs")
    records.file(job).unlink()
    assert deploy(f"run={job}") == 0
    assert arena.aliases() == {"production": 2}
    assert deploy("run=20200101-000000-abcdef0") == 1


def test_rollbacks_go_further_back(arena: Arena, deploy: Deploy, capsys: Capture) -> None:
    """Each goes one step, none comes back, and at the end of the history nothing moves."""
    for factor in (2, 3, 4):
        arena.run(factor)
    found = []
    for _ in range(2):
        assert deploy("rollback=true") == 0
        found.append(arena.aliases()["production"])
    assert found == [2, 1]
    assert deploy("rollback=true") == 1
    assert "knows of nothing before version 1" in capsys.readouterr().err
    assert deploy("version=3") == 0
    assert deploy("rollback=true") == 0
    assert arena.aliases() == {"production": 1}


def test_a_canary_comes_and_is_promoted_by_its_figures(arena: Arena, deploy: Deploy, capsys: Capture) -> None:
    """It needs enough good requests of a running service; then it is production and no canary any more."""
    arena.run(2)
    job = arena.run(3, "publish=false")
    assert deploy(f"run={job}", "alias=canary", "share=0.25") == 0
    assert (arena.aliases()["canary"], arena.registry()["shares"]) == (2, {"canary": 0.25})
    assert deploy("promote=canary") == 3
    assert "no running service has it as its canary" in capsys.readouterr().err
    figures = {
        "canary": {"requests": 200, "errors": 0, "p50_ms": 2.0},
        "stable": {"requests": 600, "errors": 0, "p50_ms": 2.0},
    }
    arena.serve(stable=2, canary=2, figures=figures)
    assert deploy("promote=canary") == 0
    assert "1 worker of http://s1: version 2" in capsys.readouterr().out
    assert (arena.aliases(), arena.registry()["shares"]) == ({"production": 2}, {})
    assert [check["metric"] for check in arena.registry()["history"][-2]["checks"]] == [
        "total",
        "canary requests",
        "canary error rate",
        "canary latency ratio",
    ]


def test_a_share_changes_without_another_version(arena: Arena, deploy: Deploy, capsys: Capture) -> None:
    """The same version with the same share is nothing to do."""
    arena.run(2)
    assert deploy("version=1", "alias=canary") == 0
    assert deploy("version=1", "alias=canary", "share=0.5") == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("version=1 alias=canary share=0.1")
    assert arena.registry()["shares"] == {"canary": 0.5}
    head = arena.lake.resolve("main")
    assert deploy("version=1", "alias=canary", "share=0.5") == 0
    assert "toy@canary names version 1 already" in capsys.readouterr().out
    assert deploy("remove=canary") == 0
    assert arena.aliases() == {"production": 1}
    assert deploy("remove=canary") == 1
    assert arena.lake.log("main", first_parent=True)[1].id == head


def test_collected_artifacts_take_a_reason(arena: Arena, deploy: Deploy, capsys: Capture) -> None:
    """The version is there and its gate cannot be asked: nothing moves, but by force."""
    arena.run(2, "publish.alias=staging")
    record = RunRecords(arena.root / "runs").read(arena.registry()["versions"][0]["run"])
    for stage in record.stages:
        for name, artifact in stage.outputs.items():
            stage.outputs[name] = type(artifact)(
                digest=artifact.digest, bytes=1, codec="json", uri=f"lake://{'0' * 64}/gone.json"
            )
    RunRecords(arena.root / "runs").write(record)
    assert deploy("version=1") == 3
    assert "the lake no longer has its" in capsys.readouterr().err
    assert deploy("version=1", "force=it is the only one") == 0
    assert arena.last()["checks"][0]["metric"] == "gate"


def test_a_decision_is_made_anew_where_the_alias_moved(
    arena: Arena, deploy: Deploy, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody on another machine was faster: the gate is asked against what they left, and says no."""
    from headrace.deploy import checks

    arena.run(2)
    job = arena.run(3, "publish=false")
    arena.run(4, "publish.alias=staging")
    asked: list[int | None] = []
    ask = checks.ask_again

    def slow(judged: checks.Judged, *rest: object) -> checks.Verdict | None:
        asked.append(None if judged.champion is None else judged.champion[0])
        if len(asked) == 1:
            move_alias(arena.lake, "toy", "production", 2)
        return ask(judged, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(checks, "ask_again", slow)
    assert deploy(f"run={job}") == 3
    assert asked == [1, 2]
    assert "somebody moved it" in capsys.readouterr().out
    assert (arena.aliases()["production"], arena.states()) == (2, [])


def test_a_refusal_is_told_with_the_services_reason(arena: Arena, deploy: Deploy, capsys: Capture) -> None:
    """Exit code 1, and the alias is where it was; the next command finds nothing left to do."""
    from headrace.deploy.services import Services

    arena.run(2)
    arena.run(3)
    look = Services._look

    def refusing(self: Services, *words: object) -> object:
        arena.serve(stable=2, refused={"version": 1, "why": "weights.bin is damaged"})
        return look(self, *words)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Services, "_look", refusing)
        assert deploy("version=1", "force=a demo") == 1
    said = capsys.readouterr()
    assert "refused by http://s1: weights.bin is damaged" in said.err
    assert "toy@production is version 2 again, as before" in said.err
    assert arena.aliases() == {"production": 2}
    assert arena.last()["why"] == "undo"


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ({}, "rollback=true"),
        ({"alias": "staging"}, "rollback=true alias=staging"),
        ({"start": None}, "remove=production 'force=why it is right'"),
        ({"start": None, "alias": "canary"}, "remove=canary"),
        ({"why": "rollback"}, "version=2"),
        (
            {"why": "remove", "to": None, "alias": "canary", "share_before": 0.2},
            "version=2 alias=canary share=0.2",
        ),
    ],
)
def test_what_undoes_it(fields: dict[str, object], command: str) -> None:
    """The command leads back to what the alias named, on the same lake."""
    known = {"id": "d", "model": "toy", "alias": "production", "why": "promote", "start": 2, "to": 3}
    done = Deployment(**{**known, **fields})  # type: ignore[arg-type]
    assert undo_command(done, ["lake.root=x"]) == f"python -m flows.deploy model=toy {command} lake.root=x"


def test_a_project_without_a_lake_is_told(project: Path, capsys: Capture) -> None:
    """Nothing is made where nothing is; wrong words end in code 2."""
    from flows.deploy import run_deploy
    from headrace.errors import HeadraceError

    with pytest.raises(HeadraceError):
        run_deploy(["model=toy", "run=latest"])
    assert not (project / ".headrace" / "lake").exists()
