"""The verdict on each artifact: identical, equal within a tolerance, or different."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from headrace.core.artifact import Artifact
from headrace.core.ports import LakeReader
from headrace.core.record import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One artifact of two runs. `farthest` is the largest absolute difference of two numbers in it."""

    stage: str
    artifact: str
    kind: Literal["identical", "equal", "different", "missing"]
    farthest: float | None = None
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare_artifacts(lake: LakeReader, before: RunRecord, now: RunRecord, tolerance: float) -> list[Verdict]:
    """Compare every artifact of a run with that of another. Numbers may differ by `tolerance`."""
    made = {name: artifact for stage in now.stages for name, artifact in stage.outputs.items()}
    found: list[Verdict] = []
    for stage in before.stages:
        for name, artifact in stage.outputs.items():
            other = made.get(name)
            if other is None:
                found.append(Verdict(stage=stage.name, artifact=name, kind="missing"))
            elif other.digest == artifact.digest:
                found.append(Verdict(stage=stage.name, artifact=name, kind="identical"))
            else:
                found.append(_compare(lake, stage.name, name, artifact, other, tolerance))
    return found


def _compare(
    lake: LakeReader, stage: str, name: str, before: Artifact, now: Artifact, tolerance: float
) -> Verdict:
    if before.codec != now.codec or before.codec not in _DISTANCES:
        detail = f"a {before.codec} of other bytes"
        return Verdict(stage=stage, artifact=name, kind="different", detail=detail)
    paths = [lake.local_path(artifact.commit, artifact.path) for artifact in (before, now)]
    farthest, detail = _DISTANCES[before.codec](*paths)
    kind: Literal["equal", "different"] = "equal" if farthest <= tolerance else "different"
    shown = farthest if math.isfinite(farthest) else None
    return Verdict(stage=stage, artifact=name, kind=kind, farthest=shown, detail=detail)


def _json_distance(before: Path, now: Path) -> tuple[float, str]:
    pairs = list(_leaves("", json.loads(before.read_bytes()), json.loads(now.read_bytes())))
    farthest, where = max(pairs, default=(0.0, ""))
    return farthest, f"at {where}" if where else ""


def _leaves(path: str, before: Any, now: Any) -> Iterator[tuple[float, str]]:
    """Yield how far each pair of values is apart; without end where it is no pair of numbers."""
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() == now.keys():
        for key in before:
            yield from _leaves(f"{path}.{key}" if path else key, before[key], now[key])
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, pair in enumerate(zip(before, now, strict=True)):
            yield from _leaves(f"{path}[{number}]", *pair)
    elif _is_number(before) and _is_number(now):
        yield abs(before - now), path
    elif before != now:
        yield math.inf, path


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _table_distance(before: Path, now: Path) -> tuple[float, str]:
    import pandas as pd

    left, right = pd.read_parquet(before), pd.read_parquet(now)
    if list(left.columns) != list(right.columns) or len(left) != len(right):
        return math.inf, f"{left.shape} and {right.shape} rows and columns"
    farthest, where = 0.0, ""
    for name in left.columns:
        far = _column_distance(left[name], right[name])
        if far > farthest:
            farthest, where = far, f"column {name}"
    return farthest, where


def _column_distance(left: Any, right: Any) -> float:
    import numpy as np
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if left.equals(right):
        return 0.0
    numeric = all(is_numeric_dtype(column) and not is_bool_dtype(column) for column in (left, right))
    if not numeric or not (left.isna() == right.isna()).all():
        return math.inf
    apart = np.abs(left.to_numpy(dtype=float) - right.to_numpy(dtype=float))
    return float(np.nanmax(apart)) if len(apart) else 0.0


def _array_distance(before: Path, now: Path) -> tuple[float, str]:
    import numpy as np

    left, right = np.load(before, allow_pickle=False), np.load(now, allow_pickle=False)
    if left.shape != right.shape or left.dtype != right.dtype:
        return math.inf, f"shapes {left.shape} and {right.shape}"
    if not np.issubdtype(left.dtype, np.number):
        return (0.0 if np.array_equal(left, right) else math.inf), ""
    apart = np.abs(left.astype(float) - right.astype(float))
    return (float(np.nanmax(apart)) if apart.size else 0.0), ""


_DISTANCES = {"json": _json_distance, "parquet": _table_distance, "npy": _array_distance}
