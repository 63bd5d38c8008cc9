"""A text says which commit to go back to: a ref, steps, a day or a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.ports import MAIN, Commit
from headrace.core.time_travel import find_commit
from headrace.errors import ConfigError


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


NOW = seconds("2026-11-24T08:00")


class History:
    """A lake whose clock is set by hand."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = seconds("2026-11-01T09:30:15")
        monkeypatch.setattr(time, "time", lambda: self.now)
        self.lake = EmbeddedLake(root)
        self.lake.resolve(MAIN)

    def commit(self, when: str, branch: str = MAIN) -> str:
        self.now = seconds(when)
        self.lake.put(branch, f"data/{branch}.csv", when.encode())
        return self.lake.commit(branch, f"at {when}").id

    def find(self, at: str, ref: str = MAIN) -> str:
        return find_commit(self.lake, at, ref, self.lake.resolve(ref), NOW)

    def refuse(self, at: str) -> str:
        with pytest.raises(ConfigError) as caught:
            self.find(at)
        (problem,) = caught.value.problems
        assert problem.where == "dataset.at"
        return f"{problem.found} {problem.hint}"


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    return History(tmp_path / "lake", monkeypatch)


def test_a_ref_means_what_the_lake_says(history: History) -> None:
    """Ids, prefixes of them, branches, tags, and steps from each."""
    first = history.commit("2026-11-02T10:00")
    second = history.commit("2026-11-03T10:00")
    history.lake.tag("v1.2", first)
    history.lake.create_branch("old", first)
    for at in (first, first[:12], "v1.2", "old", "main~1", "main^", f"{second}~1", "v1.2~0"):
        assert history.find(at) == first


def test_steps_alone_start_at_the_source_ref(history: History) -> None:
    """`~1` and `^2` are relative to the ref that the run starts from, which need not be `main`."""
    base = history.commit("2026-11-02T10:00")
    history.lake.create_branch("side", MAIN)
    aside = history.commit("2026-11-03T10:00", "side")
    third = history.commit("2026-11-04T10:00")
    history.lake.merge("side", MAIN, "merge")
    assert history.find("~1") == history.find("^1") == history.find("^") == third
    assert history.find("^2") == aside
    assert history.find("~1", "side") == history.find("^2~1") == base


def test_a_day_is_its_end_in_utc(history: History) -> None:
    """The newest commit of that day or before it; one at midnight belongs to the next day."""
    morning = history.commit("2026-11-02T00:00")
    night = history.commit("2026-11-02T23:59:59.5")
    midnight = history.commit("2026-11-03T00:00")
    assert history.find("2026-11-02") == night
    assert history.find("2026-11-03") == history.find("2026-11-20") == midnight
    assert history.find("2026-11-01") == history.lake.resolve(f"{morning}~1")


@pytest.mark.parametrize(
    ("at", "hour"),
    [
        ("2026-11-02T11:00", 11),
        ("2026-11-02T11:00:00Z", 11),
        ("2026-11-02T10:59:59", 10),
        ("2026-11-02T12:30+02:00", 10),
        ("2026-11-02T13:00:00+02:00", 11),
        ("2026-11-02T05:00-05:00", 10),
    ],
)
def test_a_time_is_that_instant(at: str, hour: int, history: History) -> None:
    """A commit of that very second counts; a time without a zone is UTC."""
    found = {hour: history.commit(f"2026-11-02T{hour}:00") for hour in (10, 11, 12)}
    assert history.find(at) == found[hour]


def test_a_ref_called_like_a_day_wins(history: History) -> None:
    """A tag `2026-11-05` is what people mean who made one."""
    first = history.commit("2026-11-02T10:00")
    history.commit("2026-11-05T10:00")
    history.lake.tag("2026-11-05", first)
    assert history.find("2026-11-05") == first


def test_only_the_branch_s_own_history_counts(history: History) -> None:
    """What a merge brought in later was not on the branch at the time."""
    own = history.commit("2026-11-02T10:00")
    history.lake.create_branch("side", MAIN)
    history.commit("2026-11-03T10:00", "side")
    history.now = seconds("2026-11-06T10:00")
    merged = history.lake.merge("side", MAIN, "merge").id
    assert history.find("2026-11-04") == own
    assert history.find("2026-11-06") == merged


def test_today_means_now_and_tomorrow_is_refused(history: History) -> None:
    """The day that goes on works; a time that has not come is told, with the time that it is."""
    head = history.commit("2026-11-24T07:00")
    assert history.find("2026-11-24") == head
    for at in ("2026-11-25", "2026-11-24T08:01", "2031-01-01"):
        said = history.refuse(at)
        assert f"{at} is in the future: it is 2026-11-24T08:00:00Z" in said
        assert "dataset.at=null" in said


def test_before_the_beginning_the_oldest_day_is_named(history: History) -> None:
    """What to type is the day of the first commit, and that works."""
    history.commit("2026-11-02T10:00")
    for at in ("2026-10-31", "2026-11-01T09:30:14", "0001-01-01"):
        said = history.refuse(at)
        assert f"{at} is before the first commit of main, which is of 2026-11-01T09:30:15Z" in said
        assert said.endswith("dataset.at=2026-11-01")
    assert history.find("2026-11-01") == history.lake.resolve("main~1")


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("v1.3", "'v1.3' in the lake: did you mean v1.2? type: dataset.at="),
        ("~9", "'main~9': the history ends at"),
        ("2026-13-45", "'2026-13-45' is no date: month must be in 1..12"),
        ("2026-11-02T25:00", "'2026-11-02T25:00' is no date: hour must be in 0..23"),
        ("2026-11-2", "no branch, tag or commit '2026-11-2' in the lake"),
        ("a b@{c}", "'a b@{c}' is no ref"),
    ],
)
def test_what_is_not_there_is_told(at: str, said: str, history: History) -> None:
    """An unknown ref comes with the lake's own hint, and every time with the forms that work."""
    history.lake.tag("v1.2", history.commit("2026-11-02T10:00"))
    told = history.refuse(at)
    assert said in told
    assert "2026-11-01T12:00Z" in told


class Counting(EmbeddedLake):
    """A lake that counts the commits that it was asked to tell."""

    told = 0

    def log(self, ref: str, limit: int | None = None, first_parent: bool = False) -> Sequence[Commit]:
        found = super().log(ref, limit, first_parent)
        self.told += len(found)
        return found


def test_a_recent_day_does_not_read_all_history(history: History) -> None:
    """The last few commits are read for a recent day, and for the oldest each commit once."""
    days = [history.commit(f"2026-11-{2 + n // 15:02}T{n % 15:02}:00") for n in range(300)]
    lake = Counting(history.lake.root)
    head = lake.resolve(MAIN)
    assert find_commit(lake, "2026-11-20", MAIN, head, NOW) == days[284]
    assert lake.told <= 32
    lake.told = 0
    assert find_commit(lake, "2026-11-02", MAIN, head, NOW) == days[14]
    assert lake.told <= 301
