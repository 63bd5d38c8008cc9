"""The prediction log and scored tables in a lake on a server."""

from __future__ import annotations

from pathlib import Path

from headrace.adapters.lake_lakefs import LakeFSStore
from headrace.batch.target import LakeTarget
from headrace.core.ports import MAIN
from headrace.serving.prediction_commits import read_predictions
from headrace.serving.prediction_log import LakePredictionLog
from headrace.serving.settings import LogSettings
from headrace.testing.lakefs import StandInServer
from tests.lakefs_server import lake, server
from tests.serving.predictions import Counts, predict

__all__ = ["lake", "server"]


def test_predictions_are_committed_on_a_server(
    lake: LakeFSStore, server: StandInServer, tmp_path: Path
) -> None:
    """Each service's rows come to main once, beside those of others, and no branch is left."""
    counts = Counts()
    for number in range(2):
        log = LakePredictionLog(lake, tmp_path / "state", LogSettings(), counts)
        log.write(predict(f"r{number}", rows=2))
        log.close()
    table = read_predictions(lake, "birds")
    assert sorted(table["id"].to_pylist()) == ["r0", "r0", "r1", "r1"]
    assert [branch.name for branch in lake.branches()] == [MAIN]
    assert (counts.committed, counts.failed, server.violations) == (4, 0, [])


def test_output_of_a_batch_is_one_commit_on_a_server(
    lake: LakeFSStore, server: StandInServer, tmp_path: Path
) -> None:
    """Output and rejected rows are one commit on main, known again by their digests."""
    target = LakeTarget(lake, "scored/a.csv", ".csv")
    assert target.digests() == ["", ""]
    before = len(lake.log(MAIN, first_parent=True))
    about = {"batch": "ab" * 32, "model": "birds", "version": "1", "input": "x"}
    for text in ("one", "two", "two"):  # the last time it is there already
        (tmp_path / "out").write_text(text)
        (tmp_path / "bad").write_text("bad")
        places = target.publish(tmp_path / "out", tmp_path / "bad", about)
    assert [place.rpartition("/scored/")[2] for place in places] == ["a.csv", "a.rejected.csv"]
    assert all(digest.startswith("sha256:") for digest in target.digests())
    target.publish(tmp_path / "out", None, about)
    assert target.digests()[1] == ""
    assert len(lake.log(MAIN, first_parent=True)) <= before + 4
    assert [branch.name for branch in lake.branches()] == [MAIN]
    assert server.violations == []
