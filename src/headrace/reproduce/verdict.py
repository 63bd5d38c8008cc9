"""The verdict on each artifact: identical, equal within a tolerance, or different."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from headrace.core.artifact import Artifact
from headrace.core.ports import LakeReader
from headrace.core.record import RunRecord
from headrace.errors import ObjectDamaged, ObjectNotFound, RefNotFound
from headrace.reproduce.distance import BY_CODEC, Distance
from headrace.reproduce.folder import between_folders

FOLDERS = ("estimator", "files")  # codecs that store several files
Kind = Literal["identical", "equal", "different", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One artifact of two runs.

    `farthest` is the absolute difference of the two numbers in it that are farthest apart for their
    size, `detail` where these are, or what else differs.
    """

    stage: str
    artifact: str
    kind: Kind
    farthest: float | None = None
    detail: str = ""

    @property
    def holds(self) -> bool:
        return self.kind in ("identical", "equal")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare_artifacts(lake: LakeReader, before: RunRecord, now: RunRecord, tolerance: float) -> list[Verdict]:
    """Compare every artifact of a run with that of another.

    Two numbers may be apart by `tolerance * (1 + |the run's number|)`; with 0 only the same bytes will do.
    """
    made = {name: artifact for stage in now.stages for name, artifact in stage.outputs.items()}
    found: list[Verdict] = []
    for stage in before.stages:
        for name, artifact in stage.outputs.items():
            other = made.get(name)
            if other is None:
                detail = "was not made this time"
                found.append(Verdict(stage=stage.name, artifact=name, kind="missing", detail=detail))
            elif other.digest == artifact.digest:
                found.append(Verdict(stage=stage.name, artifact=name, kind="identical"))
            else:
                found.append(_compare(lake, stage.name, name, artifact, other, tolerance))
    return found


def _compare(
    lake: LakeReader, stage: str, name: str, before: Artifact, now: Artifact, tolerance: float
) -> Verdict:
    def verdict(kind: Kind, detail: str, farthest: float | None = None) -> Verdict:
        return Verdict(stage=stage, artifact=name, kind=kind, detail=detail, farthest=farthest)

    if before.codec != now.codec:
        return verdict("different", f"{before.codec} → {now.codec}")
    if before.codec not in (*BY_CODEC, *FOLDERS):
        return verdict("different", f"other bytes ({before.codec})")
    try:
        distance = _measure(lake, before, now)
    except (ObjectNotFound, ObjectDamaged, RefNotFound) as error:
        return verdict("different", f"only the digests could be compared: {error}")
    if not distance.is_measured:
        return verdict("different", distance.where)
    if distance == Distance():
        return verdict("equal" if tolerance else "different", "the same values in other bytes", 0.0)
    kind: Kind = "equal" if 0 < distance.scaled <= tolerance else "different"
    return verdict(kind, f"at {distance.where}" if distance.where else "", distance.absolute)


def _measure(lake: LakeReader, before: Artifact, now: Artifact) -> Distance:
    if before.codec in FOLDERS:
        return between_folders(lake, before, now)
    paths = [lake.local_path(artifact.commit, artifact.path) for artifact in (before, now)]
    return BY_CODEC[before.codec](*paths)
