"""`headrace runs`, `show` and `diff` on real runs of a small project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headrace.core.record import RunRecord
from tests.toy import Toy, toy

from .conftest import Ask

__all__ = ["toy"]


@pytest.fixture
def two(toy: Toy) -> tuple[RunRecord, RunRecord]:
    """Two runs that differ in one param and in a helper's code."""
    first, _ = toy.run()
    toy.helper = "def scale(x, factor):\n    return x * factor + 1\n"
    second, _ = toy.run("stages.double.params.factor=3")
    return first, second


class TestRuns:
    def test_the_newest_comes_first(self, two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
        """A line a run: id, experiment, state, metrics and what it published."""
        lines = ask("runs").lines
        assert [line.split()[0] for line in lines] == [two[1].id, two[0].id]
        assert "succeeded" in lines[0]
        assert "toy v2" in lines[0]
        assert "total 21" in lines[0]

    def test_filters_and_order(self, two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
        """State, model, age, tests on metrics, and any order."""
        assert ask("runs", "--state", "failed").lines == ["no run here is like that"]
        assert len(ask("runs", "toy", "--since", "1h", "--model", "toy", "--json").json) == 2
        assert ask("runs", "--since", "2099-01-01", "--json").json == []
        (found,) = ask("runs", "--where", "metrics.total>15", "--json").json
        assert found["id"] == two[1].id
        by_total = ask("runs", "--sort", "metrics.total", "--reverse", "--json").json
        assert [run["metrics"]["total"] for run in by_total] == [12, 21]
        assert ask("runs", "-n", "1").lines[-1].startswith("… and 1 more")

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--where", "total"), "is no test"),
            (("--where", "sttate=failed"), "did you mean state?"),
            (("--sort", "metrics.totl"), "did you mean --sort metrics.total?"),
            (("--since", "soon"), "neither a span nor a date"),
        ],
    )
    def test_words_that_mean_nothing(
        self, two: tuple[RunRecord, RunRecord], ask: Ask, words: tuple[str, ...], said: str
    ) -> None:
        """Exit code 2, and what to type."""
        told = ask("runs", *words)
        assert (told.code, said in told.err) == (2, True), told.err

    def test_a_damaged_record_is_passed_over(self, two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
        """It is named on stderr, and so is one of a newer format; the others are listed."""
        runs = Path(".headrace/runs")
        for name, text in (("20990101-000000-bad", "{"), ("20990101-000001-new", json.dumps({"format": 99}))):
            (runs / name).mkdir()
            (runs / name / "run.json").write_text(text)
        told = ask("runs", "--json")
        assert [run["id"] for run in told.json] == [two[1].id, two[0].id]
        assert "20990101-000000-bad" in told.err
        assert "newer" in told.err

    def test_the_index_is_never_trusted_over_a_record(
        self, two: tuple[RunRecord, RunRecord], ask: Ask
    ) -> None:
        """A record that changes is read again, one that goes is gone, and a broken index is made anew."""
        assert len(ask("runs", "--json").json) == 2
        file = Path(".headrace/runs") / two[0].id / "run.json"
        document = json.loads(file.read_text())
        file.write_text(json.dumps({**document, "state": "failed", "error": "by hand"}))
        assert ask("runs", "--state", "failed", "--json").json[0]["error"] == "by hand"
        Path(".headrace/cache/runs.json").write_text("no index")
        assert len(ask("runs", "--json").json) == 2
        file.unlink()
        assert [run["id"] for run in ask("runs", "--json").json] == [two[1].id]

    def test_an_empty_project(self, ask: Ask) -> None:
        """No run at all is no error."""
        assert ask("runs").lines == ["no run here is like that"]


class TestShow:
    def test_a_run(self, two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
        """Stages, metrics, gate, what was published and where it lies."""
        told = ask("show", "latest").out
        for wanted in (two[1].id, "double", "total 21", "gate      passed", "toy version 2", two[1].branch):
            assert wanted in told
        assert ask("show", "latest:toy", "--json").json["id"] == two[1].id
        assert ask("show", two[0].id, "--json").json["metrics"] == {"total": 12}

    def test_a_stage(self, two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
        """Key, inputs with their sources, outputs with their URIs, and the parts of the key."""
        told = ask("show", two[0].id, "load").out
        assert "file:data.txt, 5 B" in told
        assert "lake://" in told
        assert "toy_stages" in told

    def test_names_that_lead_nowhere(self, two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
        """Unknown ids, ambiguous beginnings, unknown stages and experiments each say what there is."""
        assert "there is no run '1999" in ask("show", "1999").err
        assert "begins 2 runs" in ask("show", two[0].id[:8]).err
        assert "did you mean double?" in ask("show", "latest", "doubel").err
        assert "did you mean latest:toy?" in ask("show", "latest:tyo").err


class TestDiff:
    def test_the_same_run_has_no_difference(self, two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
        """Nothing at all is said, and the exit code is 0."""
        told = ask("diff", "latest", "latest")
        assert (told.code, told.out, told.err) == (0, "", "")

    def test_two_runs(self, two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
        """Config and metrics with old and new value, the function that changed, and artifacts."""
        told = ask("diff", two[0].id, two[1].id).out
        assert "  stages.double.params.factor: 2 → 3" in told
        assert "toy_helper: function scale, " in told
        assert "double.doubled" in told
        assert "total: 12 → 21 (+9)" in told
        assert "load.rows" not in told

    def test_data_that_changed(self, toy: Toy, ask: Ask) -> None:
        """The source stands with its size, old and new."""
        first, _ = toy.run()
        (toy.folder / "data.txt").write_text("1 2 3 4")
        second, _ = toy.run()
        found = ask("diff", first.id, second.id, "--json").json["differences"]
        (data,) = [one for one in found if one["section"] == "data"]
        assert (data["name"], data["left"]["bytes"], data["right"]["bytes"]) == ("load.source", 5, 7)

    def test_a_page(self, two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
        """One self-contained file with both runs, in which text of a run is text."""
        assert ask("diff", two[0].id, two[1].id, "--html", "diff.html").code == 0
        page = Path("diff.html").read_text()
        assert two[0].id in page
        assert two[1].id in page
        assert "<script" not in page


class TestLineage:
    def test_a_model_leads_to_its_data(self, two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
        """The newest version, one by number and one by alias; run and source are named."""
        newest = ask("lineage", "toy").out
        assert "toy version 2  (production)" in newest
        assert two[1].id in newest
        assert "file:data.txt" in newest
        assert ask("lineage", "toy:1", "--json").json["run"]["id"] == two[0].id
        assert ask("lineage", "toy@production", "--json").json["version"] == 2

    def test_data_leads_to_models(self, two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
        """A source's URI and an artifact's lead to every version that came of them."""
        found = ask("lineage", "file:data.txt", "--json").json
        assert [(one["model"], one["version"]) for one in found] == [("toy", 1), ("toy", 2)]
        doubled = next(stage for stage in two[1].stages if stage.name == "double").outputs["doubled"]
        assert ask("lineage", doubled.uri).lines == [f"toy version 2  by run {two[1].id}"]

    def test_names_that_lead_nowhere(self, two: tuple[RunRecord, RunRecord], ask: Ask) -> None:
        """Unknown models, versions and aliases say what there is."""
        assert "did you mean toy?" in ask("lineage", "toyy").err
        assert "has no version '9'" in ask("lineage", "toy:9").err
        assert "did you mean toy@production?" in ask("lineage", "toy@prodution").err
