"""The prediction log: what is written becomes rows in the lake, once each, whatever happens in between."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.ports import MAIN, Commit
from headrace.errors import LakeUnavailable
from headrace.serving import prediction_log
from headrace.serving.metrics import Metrics
from headrace.serving.prediction_commits import read_predictions
from headrace.serving.prediction_log import LakePredictionLog
from headrace.serving.prediction_table import SALT_VARIABLE, hash_value, read_salt
from headrace.serving.roles import Prediction
from headrace.serving.settings import LogSettings
from tests.serving.predictions import NOON, SIGNATURE, Counts, predict

OpenLog = Callable[..., LakePredictionLog]


class AwayLake(EmbeddedLake):
    """A lake whose branches cannot be reached while it is away."""

    away = False

    def create_branch(self, name: str, source: str, exist_ok: bool = False) -> str:
        if self.away:
            raise LakeUnavailable("the lake cannot be reached")
        return super().create_branch(name, source, exist_ok)


@pytest.fixture
def lake(tmp_path: Path) -> AwayLake:
    lake = AwayLake(tmp_path / "lake")
    lake.init()
    return lake


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
def open_log(tmp_path: Path, lake: AwayLake, counts: Counts) -> OpenLog:
    def open_it(spool_bytes: int = 1 << 30, close_seconds: float = 20, **settings: Any) -> LakePredictionLog:
        return LakePredictionLog(
            lake,
            tmp_path / "state",
            LogSettings(**settings),
            counts,
            spool_bytes=spool_bytes,
            close_seconds=close_seconds,
        )

    return open_it


def keep(log: LakePredictionLog, *predictions: Prediction) -> None:
    for prediction in predictions:
        log.write(prediction)
    log.close()


def rows_of(lake: EmbeddedLake, model: str = "birds") -> list[dict[str, Any]]:
    table = read_predictions(lake, model)
    return [] if table is None else table.to_pylist()


def test_rows_are_kept_in_the_types_of_the_signature(lake: AwayLake, open_log: OpenLog) -> None:
    """A request's rows come to the lake with what was asked, answered and by whom, in the right types."""
    given = {"length": [1.5, math.nan], "seen": [datetime(2025, 1, 2, tzinfo=UTC), None]}
    keep(open_log(), predict("r1", rows=2, columns=given))
    table = read_predictions(lake, "birds")
    assert table.drop(["mail"]).to_pylist() == [
        {
            "id": "r1",
            "row": row,
            "time": datetime(2025, 11, 24, 16, 0, 0, 250_000, tzinfo=UTC),
            "model": "birds",
            "version": 3,
            "role": "stable",
            "seconds": 0.004,
            "length": length,
            "input_id": row,
            "colour": "red",
            "seen": seen,
            "prediction": said,
            "probability_no": None,
            "probability_yes": None,
        }
        for row, (length, seen, said) in enumerate(
            [(1.5, datetime(2025, 1, 2, tzinfo=UTC), "yes"), (None, None, "no")]
        )
    ]
    assert table.schema.field("seen").type == pa.timestamp("ms", "UTC")
    assert table.schema.field("input_id").type == pa.int64()


def test_object_lies_below_model_and_day(lake: AwayLake, open_log: OpenLog) -> None:
    """Each model and UTC day has a folder, and the commits leave no branch and no file behind."""
    log = open_log()
    keep(log, predict("r1"), predict("r2", time=NOON + 86400), predict("r3", model="fish"))
    folders = [info.path.rpartition("/")[0] for info in lake.list(MAIN, prefix="predictions/")]
    assert sorted(folders) == [
        "predictions/birds/2025-11-24",
        "predictions/birds/2025-11-25",
        "predictions/fish/2025-11-24",
    ]
    assert [branch.name for branch in lake.branches()] == [MAIN]
    assert list(log._spool.root.iterdir()) == []


def test_private_columns_are_hashed_or_left_out(tmp_path: Path, lake: AwayLake, open_log: OpenLog) -> None:
    """Equal values have equal hashes that need the project's key, and what is left out is nowhere."""
    keep(open_log(), predict("r1", rows=2), predict("r2", columns={"mail": ["c@d.example"]}))
    rows = rows_of(lake)
    hashes = [row["mail"] for row in rows]
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[0] == hash_value(read_salt(tmp_path / "state"), "a@b.example")
    assert hashes[0] != hashlib.sha256(b"a@b.example").hexdigest()
    assert all("name" not in row for row in rows)


def test_salt_is_made_once_or_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key of hashes is the same at each start, readable by its owner only, and may be given."""
    first = read_salt(tmp_path)
    assert read_salt(tmp_path) == first
    assert (tmp_path / "log-salt").stat().st_mode & 0o077 == 0
    monkeypatch.setenv(SALT_VARIABLE, "my own")
    assert read_salt(tmp_path) != first


def test_equal_numbers_have_equal_hashes() -> None:
    """A whole number hashes alike as an integer and as a float, and a missing value has no hash."""
    assert hash_value(b"s", 3) == hash_value(b"s", 3.0) != hash_value(b"s", 3.5)
    assert hash_value(b"s", None) is None is hash_value(b"s", math.nan)


def test_inputs_can_be_left_out(lake: AwayLake, open_log: OpenLog) -> None:
    """Without inputs the log knows who answered what, and nothing of the rows."""
    keep(open_log(inputs=False), predict("r1", probabilities=True))
    (row,) = rows_of(lake)
    assert row.keys() & {"length", "mail", "input_id", "colour"} == set()
    assert (row["prediction"], row["probability_yes"]) == ("yes", 0.5)


def test_versions_with_other_columns_stand_side_by_side(lake: AwayLake, open_log: OpenLog) -> None:
    """A version with other inputs has a segment of its own; read together, what one lacks is null."""
    other = replace(SIGNATURE, inputs=SIGNATURE.inputs[:1])
    newer = replace(predict("r2", version=4), signature=other)
    keep(open_log(), predict("r1"), newer, predict("r3"))
    rows = {row["id"]: row for row in rows_of(lake)}
    assert rows.keys() == {"r1", "r2", "r3"}
    assert (rows["r1"]["colour"], rows["r2"]["colour"], rows["r2"]["length"]) == ("red", None, 1.5)


def test_value_that_does_not_fit_becomes_null(lake: AwayLake, open_log: OpenLog, counts: Counts) -> None:
    """One value that its column cannot hold costs that value, not the rows beside it."""
    keep(open_log(), predict("r1", rows=3, columns={"id": [1, "two", 3], "colour": ["a", 7, True]}))
    rows = rows_of(lake)
    assert [row["input_id"] for row in rows] == [1, None, 3]
    assert [row["colour"] for row in rows] == ["a", "7", "True"]
    assert counts.dropped == 0


def test_large_requests_keep_all_their_rows(lake: AwayLake, open_log: OpenLog, counts: Counts) -> None:
    """Requests larger than what is converted at once come whole, each row with its number."""
    keep(open_log(), predict("r1", rows=4500), predict("r2", rows=1), predict("r3", rows=3999))
    found = sorted((row["id"], row["row"]) for row in rows_of(lake))
    wanted = [(name, row) for name, rows in (("r1", 4500), ("r2", 1), ("r3", 3999)) for row in range(rows)]
    assert found == wanted
    assert (counts.committed, counts.dropped) == (8500, 0)


def test_rows_beyond_the_queue_are_counted(lake: AwayLake, open_log: OpenLog, counts: Counts) -> None:
    """What finds no place in the queue is dropped and counted, and the rest is kept."""
    keep(open_log(queue_rows=5), predict("r1", rows=6), predict("r2", rows=5))
    assert counts.dropped == 6
    assert {row["id"] for row in rows_of(lake)} == {"r2"}


def test_requests_of_long_texts_are_bounded_by_their_bytes(
    lake: AwayLake, open_log: OpenLog, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few rows may hold megabytes: those beyond the bound are counted, and it counts only what waits."""
    monkeypatch.setattr(prediction_log, "QUEUE_BYTES", 100)
    long = [replace(predict(name, rows=1), bytes=60) for name in ("r1", "r2")]
    log = open_log()
    keep(log, *long)
    assert counts.dropped == 1
    assert {row["id"] for row in rows_of(lake)} == {"r1"}


def test_rows_beyond_the_spool_are_counted(lake: AwayLake, open_log: OpenLog, counts: Counts) -> None:
    """A spool that is full takes nothing more, counts it, and the service goes on."""
    keep(open_log(spool_bytes=10), predict("r1", rows=3))
    assert (counts.dropped, rows_of(lake)) == (3, [])


def test_nothing_is_taken_after_close(lake: AwayLake, open_log: OpenLog, counts: Counts) -> None:
    """What comes after the end is counted as dropped, and raises nothing."""
    log = open_log()
    log.close()
    log.write(predict("late", rows=2))
    assert counts.dropped == 2


def test_what_cannot_be_logged_raises_nothing(lake: AwayLake, open_log: OpenLog, counts: Counts) -> None:
    """A prediction that is no prediction does not reach the caller as an error."""
    log = open_log()
    log.write(None)  # type: ignore[arg-type]
    keep(log, replace(predict("r1"), answers=None), predict("r2"))  # type: ignore[arg-type]
    assert [row["id"] for row in rows_of(lake)] == ["r2"]


def test_sample_is_chosen_by_the_request(lake: AwayLake, open_log: OpenLog, counts: Counts) -> None:
    """A share of the requests is kept, whole ones, and the same ones each time."""
    names = [f"request-{number}" for number in range(400)]
    keep(open_log(sample=0.25), *(predict(name, rows=2) for name in names))
    first = [row["id"] for row in rows_of(lake)]
    keep(open_log(sample=0.25), *(predict(name, rows=2, model="again") for name in names))
    again = [row["id"] for row in rows_of(lake, "again")]
    assert first == again
    assert 60 <= len(set(first)) <= 140
    assert len(first) == 2 * len(set(first))
    assert counts.dropped == 0


def test_commits_come_while_the_service_runs(lake: AwayLake, open_log: OpenLog) -> None:
    """Enough rows become a commit without an end of the service."""
    log = open_log(commit_rows=10)
    before = lake.resolve(MAIN)
    log.write(predict("r1", rows=10))
    waiting = threading.Event()
    for _ in range(200):
        if lake.resolve(MAIN) != before:
            break
        waiting.wait(0.1)
    assert len(rows_of(lake)) == 10
    log.close()


def test_segments_of_long_texts_have_few_rows(
    lake: AwayLake, open_log: OpenLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segment ends by its bytes as well: it is read whole, and clients choose how long texts are."""
    monkeypatch.setattr("headrace.serving.prediction_log._SEGMENT_BYTES", 100_000)
    monkeypatch.setattr("headrace.serving.prediction_log._SLICE_ROWS", 1)
    log = open_log(commit_seconds=3600)
    keep(log, *(predict(f"q{at}", columns={"colour": ["x" * 60_000]}) for at in range(4)))
    assert len(rows_of(lake)) == 4
    assert len([*lake.list(lake.resolve(MAIN), prefix="predictions/birds/")]) == 2


def test_lake_that_was_away_gets_everything(lake: AwayLake, open_log: OpenLog, counts: Counts) -> None:
    """While the lake is away rows wait on disk and close ends in time; the next service commits them."""
    lake.away = True
    keep(open_log(close_seconds=0.1), predict("r1", rows=3))
    assert counts.failed > 0
    assert rows_of(lake) == []
    lake.away = False
    keep(open_log(), predict("r2"))
    assert sorted(row["id"] for row in rows_of(lake)) == ["r1", "r1", "r1", "r2"]
    assert (counts.committed, counts.dropped) == (4, 0)


def test_commits_and_publishes_do_not_collide(lake: AwayLake, open_log: OpenLog) -> None:
    """Commits of the log and merges of runs into main race, and both are all there."""
    merged: list[Commit] = []

    def publish() -> None:
        for number in range(20):
            lake.create_branch(f"run-{number}", MAIN)
            lake.put(f"run-{number}", f"models/birds/{number}", b"%d" % number)
            lake.commit(f"run-{number}", "run")
            merged.append(lake.merge(f"run-{number}", MAIN, f"publish {number}"))

    logs = [open_log(commit_rows=1) for _ in range(2)]
    publisher = threading.Thread(target=publish)
    publisher.start()
    for number in range(20):
        for log in logs:
            log.write(predict(f"r{number}"))
        logs[0]._spooled.wait(0.05)
    publisher.join()
    for log in logs:
        log.close()
    assert len(rows_of(lake)) == 40
    assert len(list(lake.list(MAIN, prefix="models/birds/"))) == len(merged) == 20


def test_the_services_metrics_count_the_log(tmp_path: Path, lake: AwayLake) -> None:
    """The log tells the figures of the service what was committed and dropped."""
    metrics = Metrics()
    log = LakePredictionLog(lake, tmp_path / "state", LogSettings(queue_rows=2), metrics)
    keep(log, predict("r1", rows=2), predict("r2", rows=3))
    text = metrics.text().decode()
    assert 'headrace_prediction_log_rows_total{outcome="committed"} 2.0' in text
    assert 'headrace_prediction_log_rows_total{outcome="dropped"} 3.0' in text
