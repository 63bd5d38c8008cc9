"""No record, however damaged, ends a command that looks at runs with a traceback."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from headrace.adapters.run_index import RunIndex
from headrace.core.record import RunRecord, StageRecord

from .conftest import Ask

GOOD, BAD = "20260101-000000-aaaaaaa", "20260102-000000-bbbbbbb"
WORDS = (
    ("runs",),
    ("runs", "--sort", "seconds", "--where", "seconds>=0"),
    ("show", BAD),
    ("show", BAD, "load"),
    ("show", "latest"),
    ("diff", GOOD, BAD),
)
OTHERS: tuple[Any, ...] = (None, 5, "x", [1], {"a": [1]}, {"x": None})


def index_of_project() -> RunIndex:
    return RunIndex(Path(".headrace/runs"), Path(".headrace/cache/runs.json"))


def document(run_id: str) -> dict[str, Any]:
    artifact = {"digest": "sha256:1", "bytes": 3, "codec": "json", "uri": "lake://c0ffee/runs/r/load/x.json"}
    stage = StageRecord(name="load", state="ran", reason="new", key="k", key_parts={"code": {"m": "1"}})
    return RunRecord(
        id=run_id, experiment="toy", pipeline="bare", command="c", state="succeeded", seconds=1.0, seed=1,
        started="2026-01-01T00:00:00+00:00", config={"a": 1}, git={"commit": "c"}, packages={"p": "1"},
        source={"commit": "c"}, resume="c", metrics={"total": 1.0}, gate={"passed": True, "checks": []},
        published={"model": "toy", "version": 1, "alias": "production", "commit": "c"},
    ).to_json() | {"stages": [stage.to_json() | {"outputs": {"x": artifact}}]}  # fmt: skip


def write(run_id: str, text: str) -> Path:
    file = Path(".headrace/runs") / run_id / "run.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize("field", sorted(document(BAD)))
def test_a_field_of_another_type(ask: Ask, project: Path, field: str) -> None:
    """Each command answers, or says what is wrong with the record; the good run stays in the list."""
    write(GOOD, json.dumps(document(GOOD)))
    for other in OTHERS:
        write(BAD, json.dumps(document(BAD) | {field: other}))
        for words in WORDS:
            assert ask(*words).code in (0, 1)
        assert GOOD in ask("runs").out


@pytest.mark.parametrize("field", sorted(document(BAD)["stages"][0]))
def test_a_field_of_a_stage_of_another_type(ask: Ask, project: Path, field: str) -> None:
    """The same for what is said of a stage."""
    write(GOOD, json.dumps(document(GOOD)))
    for other in OTHERS:
        damaged = copy.deepcopy(document(BAD))
        damaged["stages"][0][field] = other
        write(BAD, json.dumps(damaged))
        for words in WORDS:
            assert ask(*words).code in (0, 1)
        assert GOOD in ask("runs").out


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '"x"', "\x00", "[" * 100_000, '{"format": 2}'])
def test_what_is_no_record(ask: Ask, project: Path, text: str) -> None:
    """It is named on stderr and passed over; asked for by name, the answer is why it cannot be read."""
    write(GOOD, json.dumps(document(GOOD)))
    write(BAD, text)
    listed = ask("runs", "--json")
    assert [run["id"] for run in listed.json] == [GOOD]
    assert BAD in listed.err
    told = ask("show", BAD)
    assert (told.code, "cannot be read" in told.err) == (1, True)


def test_the_latest_that_can_be_read(ask: Ask, project: Path) -> None:
    """`latest` passes over a damaged record and says so; a whole id asks nothing of other records."""
    write(GOOD, json.dumps(document(GOOD)))
    write(BAD, "{")
    told = ask("show", "latest", "--json")
    assert (told.json["id"], BAD in told.err) == (GOOD, True)
    assert ask("show", GOOD).err == ""


def test_a_record_in_the_folder_of_another_run(ask: Ask, project: Path) -> None:
    """A copy of a record under another id is not listed twice."""
    write(GOOD, json.dumps(document(GOOD)))
    write(BAD, json.dumps(document(GOOD)))
    listed = ask("runs", "--json")
    assert [run["id"] for run in listed.json] == [GOOD]
    assert "in the folder of another" in listed.err


def test_many_damaged_records_are_counted(ask: Ask, project: Path) -> None:
    """A few are named, and how many more there are."""
    for number in range(30):
        write(f"2026010{number % 9}-000000-{number:07}", "{")
    lines = ask("runs").err.splitlines()
    assert len(lines) == 4
    assert "27 more" in lines[-1]


@pytest.mark.parametrize(
    "index",
    [
        "[]",
        '{"format": 1, "runs": []}',
        json.dumps({"format": 1, "runs": {GOOD: 5}}),
        json.dumps({"format": 1, "runs": {GOOD: [1, 2, {"id": "x"}]}}),
    ],
)
def test_an_index_that_is_none(ask: Ask, project: Path, index: str) -> None:
    """It is made anew."""
    write(GOOD, json.dumps(document(GOOD)))
    Path(".headrace/cache").mkdir()
    Path(".headrace/cache/runs.json").write_text(index)
    assert [run["id"] for run in ask("runs", "--json").json] == [GOOD]


def test_the_index_spares_reading(ask: Ask, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second list reads no record: it finds what it needs although none could be opened."""
    write(GOOD, json.dumps(document(GOOD)))
    index = index_of_project()
    first = index.heads()

    def refuse(*_: object) -> None:
        raise AssertionError("a record was read")

    monkeypatch.setattr("headrace.adapters.run_index._read", refuse)
    assert index.heads() == first


def test_lists_at_the_same_time(project: Path) -> None:
    """Several that write the index at once all see every run, and leave an index that can be read."""
    for number in range(50):
        run_id = f"20260101-0000{number:02}-aaaaaaa"
        write(run_id, json.dumps(document(run_id)))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: len(index_of_project().heads()[0]), range(32)))
    assert found == [50] * 32
    assert len(json.loads(Path(".headrace/cache/runs.json").read_text())["runs"]) == 50
    assert [file.name for file in Path(".headrace/cache").iterdir()] == ["runs.json"]


def test_looking_at_runs_loads_no_library(project: Path) -> None:
    """`runs`, `show` and `diff` of records alone import neither a data library nor Hydra."""
    write(GOOD, json.dumps(document(GOOD)))
    write(BAD, json.dumps(document(BAD) | {"metrics": {"total": 2.0}}))
    code = (
        "import sys\n"
        "from headrace.cli import main\n"
        "for words in (['runs'], ['show', 'latest'], ['diff', *sys.argv[1:3]]):\n"
        "    try:\n"
        "        main(words)\n"
        "    except SystemExit as left:\n"
        "        assert not left.code\n"
        "print(*[name for name in sys.argv[3:] if name in sys.modules], file=sys.stderr)\n"
    )
    heavy = ("pandas", "numpy", "pyarrow", "torch", "sklearn", "prefect", "wandb", "hydra", "omegaconf")
    done = subprocess.run(
        [sys.executable, "-c", code, GOOD, BAD, *heavy], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.split()) == (0, [])
    assert "total: 1 → 2" in done.stdout
