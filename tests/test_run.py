"""One run, from its branch to its end, on small pipelines of a project of its own."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from headrace.assemble import Prepared
from headrace.core.plan import State
from headrace.core.ports import MAIN
from headrace.core.record import StageRecord
from headrace.errors import ConfigError
from headrace.registry import read_registry
from headrace.run import run_job
from headrace.tell import LineDisplay, tell_unfollowed
from tests.toy import CODE, Threads, Toy, run_on, states, toy

__all__ = ["toy"]


def test_a_run_executes_every_stage_and_publishes(toy: Toy) -> None:
    """A first run executes all stages, and `main` holds its model behind the alias."""
    record, calls = toy.run()
    assert record.state == "succeeded"
    assert calls == ["count", "double", "judge", "load", "pack"]
    assert record.metrics == {"total": 12}
    lake = toy.prepare().job.lake
    registry = read_registry(lake, MAIN, "toy")
    assert registry["aliases"] == {"production": 1}
    assert record.published is not None
    assert record.published["commit"] == lake.resolve(MAIN) == lake.resolve("toy-v1")
    model = lake.local_path(MAIN, "models/toy/1/model.json")
    assert json.loads(model.read_bytes()) == {"weights": [2, 4, 6]}
    kept = json.loads(lake.local_path(MAIN, f"runs/{record.id}/run.json").read_bytes())
    assert kept["id"] == record.id
    assert kept["state"] == "succeeded"


def test_the_same_again_has_nothing_to_do(toy: Toy) -> None:
    """After a published run the plan is all CACHED, and nothing is to do."""
    toy.run()
    prepared = toy.prepare()
    assert {stage.state for stage in prepared.plan.stages} == {State.CACHED}
    assert prepared.nothing_to_do


def test_a_changed_param_reruns_what_follows(toy: Toy) -> None:
    """One param changed: its stage and what depends on it execute, nothing else does."""
    toy.run()
    record, calls = toy.run("stages.double.params.factor=3")
    assert calls == ["double", "judge", "pack"]
    assert states(record)["load"] == states(record)["count"] == "cached"
    reasons = {stage.name: stage.reason for stage in record.stages}
    assert reasons["double"] == "params.factor 2 → 3"


def test_an_edited_helper_reruns_what_reaches_it(toy: Toy) -> None:
    """A helper's change reruns the stages of the module that imports it; a comment's reruns nothing."""
    toy.run()
    toy.helper = "# a comment\n" + toy.helper
    toy.write()
    assert toy.prepare().nothing_to_do
    toy.helper = "def scale(x, factor):\n    return x * factor + 0\n"
    toy.write()
    plan = toy.prepare().plan
    assert plan["double"].state is not State.CACHED
    assert "code of toy_helper changed" in plan["load"].reason


def test_equal_outputs_stop_the_rerun(toy: Toy) -> None:
    """A stage that runs anew and gives the same leaves what follows cached."""
    toy.run()
    (toy.folder / "data.txt").write_text("1  2\n3")
    record, calls = toy.run()
    assert calls == ["load"]
    assert states(record) == {
        "load": "ran", "double": "cached", "count": "cached", "judge": "cached", "pack": "cached"
    }  # fmt: skip


def test_a_failed_run_resumes(toy: Toy) -> None:
    """A stage fails: the record says which and how to resume, and the next run starts there."""
    toy.code = CODE.replace("total = sum(doubled)", "raise ZeroDivisionError('no total')")
    record, _ = toy.run()
    assert record.state == "failed"
    assert "stage judge failed: ZeroDivisionError: no total" in (record.error or "")
    assert states(record)["judge"] == "failed"
    assert states(record)["pack"] == "skipped"
    assert record.resume == "python -m flows.train +experiment=toy pipeline=bare"
    lake = toy.prepare().job.lake
    assert [info.path for info in lake.list(record.branch, prefix="runs/")]  # type: ignore[union-attr]
    with pytest.raises(Exception, match="registry"):
        lake.stat(MAIN, "models/toy/registry.json")


def test_a_stage_is_tried_again(toy: Toy) -> None:
    """With retries a stage that fails once succeeds, and the record counts the attempts."""
    toy.code = CODE.replace(
        'CALLS.append("count")', 'CALLS.append("count")\n    if len(CALLS) < 3: raise OSError("busy")'
    ).replace('CALLS.append("double")', "pass")
    record, calls = toy.run("stages.count.retries=3")
    assert record.state == "succeeded"
    counted = next(stage for stage in record.stages if stage.name == "count")
    assert counted.attempts == calls.count("count") == 2


def test_a_missing_file_fails_before_there_is_a_run(toy: Toy) -> None:
    """A missing source names file and key, as a wrong config does, and leaves neither run nor branch."""
    (toy.folder / "data.txt").unlink()
    with pytest.raises(ConfigError, match=r"stages\.load\.inputs\.source: there is no file data\.txt"):
        toy.prepare()
    assert not (toy.folder / ".headrace" / "runs").exists()


def test_an_interrupt_is_recorded(toy: Toy) -> None:
    """Ctrl-C in a stage ends in a record that says so; finished stages are kept."""
    toy.code = CODE.replace("total = sum(doubled)", "raise KeyboardInterrupt")
    record, _ = toy.run()
    assert record.state == "interrupted"
    assert states(record)["load"] == "ran"
    toy.code = CODE
    toy.write()


def test_one_key_executes_once_at_a_time(toy: Toy) -> None:
    """Two identical runs started together execute each stage once between them."""
    jobs = [toy.prepare("publish=null") for _ in range(2)]
    start = threading.Barrier(2)

    def go(prepared: Prepared) -> None:
        start.wait()
        run_job(prepared.job, prepared.plan, LineDisplay(sys.stderr))

    _together([lambda p=prepared: go(p) for prepared in jobs])  # type: ignore[misc]
    assert sorted(sys.modules["toy_stages"].CALLS) == ["count", "double", "judge", "load", "pack"]


def test_a_hit_unlocks_what_follows_while_another_stage_runs(toy: Toy) -> None:
    """A stage beside a running one is not kept waiting when its input is cached."""
    toy.run("publish=null")
    toy.code = (
        CODE.replace('CALLS.append("count")', "import threading; assert GO.wait(30)")
        .replace('CALLS.append("double")', "GO.set()")
        .replace("CALLS = []", "import threading\nCALLS = []\nGO = threading.Event()")
    )
    toy.write()
    prepared = toy.prepare("publish=null")
    assert run_on(Threads(), prepared).state == "succeeded"


def test_the_first_failure_is_the_one_told(toy: Toy) -> None:
    """Two stages side by side fail: the run tells of the one that failed first."""
    toy.code = (
        CODE.replace('CALLS.append("count")', "assert GO.wait(30); raise ValueError('second')")
        .replace('CALLS.append("double")', "raise ValueError('first')")
        .replace("CALLS = []", "import threading\nCALLS = []\nGO = threading.Event()")
    )
    toy.write()

    class Watching(LineDisplay):
        def stage_finished(self, stage: StageRecord) -> None:
            super().stage_finished(stage)
            if stage.name == "double":
                sys.modules["toy_stages"].GO.set()

    prepared = toy.prepare()
    job = replace(prepared.job, runtime=Threads)
    record = run_job(job, prepared.plan, Watching(sys.stderr))
    assert record.error == "stage double failed: ValueError: first"
    assert states(record)["count"] == "failed"


def test_the_record_of_a_killed_run_is_ended_by_the_next(toy: Toy) -> None:
    """A run whose process is gone is marked, and its scratch folder removed."""
    record, _ = toy.run()
    job = toy.prepare().job
    record.state = "running"
    job.records.write(record)
    left = job.scratch.root / record.id
    left.mkdir(parents=True)
    left.with_name(f"{record.id}.lock").touch()
    toy.run("stages.double.params.factor=5")
    assert job.records.read(record.id).state == "interrupted"
    assert not left.exists()


def test_a_secret_in_an_error_is_not_recorded(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stage says when it fails goes into the record without the secrets of its params."""
    monkeypatch.setenv("TOY_TOKEN", "open-sesame")
    toy.code = CODE.replace(
        "def double(rows: list, factor: int = 2):",
        "def double(rows: list, factor: int = 2, token: str = ''):",
    ).replace('CALLS.append("double")', "raise ValueError(f'no entry with {token} at db://me:pw@host')")
    record, _ = toy.run("+stages.double.params.token=${oc.env:TOY_TOKEN}")
    assert "no entry with <redacted> at db://<redacted>@host" in (record.error or "")
    written = [file.read_bytes() for file in (toy.folder / ".headrace").rglob("*") if file.is_file()]
    assert not any(b"open-sesame" in data or b"me:pw" in data for data in written)


def test_an_import_that_cannot_be_followed_is_told(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    """A computed import is named with its line, until the stage declares what it depends on."""
    toy.code = CODE + "\ndef late(name):\n    import importlib\n    return importlib.import_module(name)\n"
    toy.write()
    tell_unfollowed(toy.prepare().plan)
    assert "the import at toy_stages:" in capsys.readouterr().err
    tell_unfollowed(toy.prepare("stages.load.depends_on=[toy_helper]").plan)
    assert capsys.readouterr().err == ""


def _together(functions: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_each_lake_remembers_its_own_results(toy: Toy) -> None:
    """Going to another lake and back runs everything there once, and nothing here again."""
    other = "lake.root=.headrace/other"
    toy.run()
    record, _ = toy.run(other)
    assert {stage.state for stage in record.stages} == {"ran"}
    assert toy.prepare().nothing_to_do
    assert toy.prepare(other).nothing_to_do
    assert (toy.folder / ".headrace" / "cache" / "stages").is_dir()
