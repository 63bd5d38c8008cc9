"""The section on data of a run's report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headrace.core.record import RunRecord
from headrace.core.report import Block, Table, Text
from headrace.reports.artifacts import Artifacts
from headrace.reports.data import describe_data, drift_blocks, find_last, profile_blocks

from .runs import Bench

RNG = np.random.default_rng(0)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def table(shift: float = 0.0) -> pd.DataFrame:
    values = RNG.normal(size=200)
    return pd.DataFrame({"x": values + shift, "kind": ["a", "b"] * 100, "when": pd.Timestamp("2026-01-01")})


def described(bench: Bench, now: RunRecord, before: RunRecord | None) -> tuple[Block, ...]:
    last = None if before is None else Artifacts(before, bench.lake)
    return describe_data(Artifacts(now, bench.lake), last)


def test_a_table_column_by_column() -> None:
    """Type, missing and distinct values, what they are, and a small histogram."""
    data = pd.DataFrame(
        {
            "n": [1, 2, 2, 3],
            "year": [2013, 2013, 2014, 2014],
            "s": ["a", None, "a", "b"],
            "t": pd.to_datetime(["2026-01-01"] * 4),
            "inf": [np.inf] * 4,
        }
    )
    (found,) = profile_blocks(data, "valid")
    assert isinstance(found, Table)
    assert "4 rows of 5 columns (artifact valid)" in found.caption
    rows = {row[0]: row[1:] for row in found.rows}
    assert rows["n"] == ("int64", "", 3, "2 [1.15, 2.85]", "▄█▄")
    assert rows["year"][3].startswith("2014 [2013, 2014]")
    assert rows["s"] == ("str", "25 %", 2, "a 67 %, b 33 %", "█▄")
    assert rows["t"][3].startswith("2026-01-01T00:00:00 to")
    assert rows["inf"][3] == "nothing finite"


def test_a_wide_table_is_cut() -> None:
    """How many columns are left out stands there."""
    (found,) = profile_blocks(pd.DataFrame({f"c{n}": [1] for n in range(100)}), "valid")
    assert isinstance(found, Table)
    assert (len(found.rows), found.more) == (60, 40)


def test_the_same_data_is_called_that(bench: Bench) -> None:
    """By digest: nothing is compared."""
    data = table()
    before, now = bench.run({"valid": data}), bench.run({"valid": data})
    _, said = described(bench, now, before)
    assert said == Text("The same data as in run run-1, to the bit.")


def test_data_that_drifts_since_the_last_run(bench: Bench) -> None:
    """What drifts is named in a sentence, and comes first in the table."""
    before, now = bench.run({"valid": table()}), bench.run({"valid": table(shift=2)})
    _, said, drift = described(bench, now, before)
    assert said == Text("Against run run-1 (200 rows then, 200 now) x drifts.")
    assert isinstance(drift, Table)
    assert [row[:2] for row in drift.rows] == [("x", "yes"), ("kind", "no"), ("when", "not compared")]
    assert drift.rows[0][2] == "Kolmogorov-Smirnov"


def test_without_a_last_run_there_is_a_profile_all_the_same(bench: Bench) -> None:
    """And where the last one's data is gone, that is said."""
    now = bench.run({"raw": table()})
    profile, said = described(bench, now, None)
    assert isinstance(profile, Table)
    assert said == Text("There is no earlier run of this experiment to compare the data with.")
    lost = bench.run({"raw": table()})
    artifact = lost.stages[0].outputs["raw"]
    object.__setattr__(artifact, "uri", f"lake://{artifact.commit}/gone.parquet")
    *_, said = described(bench, now, lost)
    assert isinstance(said, Text)
    assert said.text.startswith("The data of the last run, run-2, is gone: raw cannot be read")


def test_a_run_without_a_table_has_no_such_section(bench: Bench) -> None:
    """Nor has one whose table cannot be read."""
    assert described(bench, bench.run({"metrics": {"a": 1}}), None) == ()


def test_the_last_run_is_an_older_one_of_the_same_kind(bench: Bench) -> None:
    """Another experiment or pipeline, a newer run, and one without data do not count."""
    old = bench.run({"valid": table()})
    other = bench.run({"valid": table()}, experiment="another")
    empty = bench.run({"metrics": {}})
    now = bench.run({"valid": table()})
    newer = bench.run({"valid": table()})
    assert find_last(now, [newer, now, empty, other, old]) is old
    assert find_last(old, [newer, now, old]) is None


def test_drift_of_many_columns_is_cut() -> None:
    """Those that drift stay."""
    before = pd.DataFrame({f"c{n}": RNG.normal(size=50) for n in range(80)})
    _, found = drift_blocks(before, before.assign(c79=9.0), "A")
    assert isinstance(found, Table)
    assert (found.rows[0][0], len(found.rows), found.more) == ("c79", 60, 20)
