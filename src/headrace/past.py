"""What plans look back at: the newest comparable run, and how long stages took lately."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from statistics import median
from typing import Any

from headrace.adapters.code_store import CodeStore
from headrace.adapters.record_files import RunRecords
from headrace.core.code_change import explain
from headrace.core.plan import Past
from headrace.core.reason import Insight
from headrace.core.record import RunRecord, UnreadableRecord
from headrace.core.spec import StageSpec
from headrace.errors import ConfigError

RECENT = 5  # comparable runs whose seconds are asked
LOOKED_AT = 30  # runs among which these are looked for

Definitions = Callable[[str], Mapping[str, str]]
"""Returns the digests of what a module defines, by name, as it is now."""


def recent_runs(records: RunRecords, experiment: str, pipeline: str) -> list[RunRecord]:
    """Return the newest runs of an experiment and pipeline that got past a stage."""
    looked_at = islice(records.newest_first(), LOOKED_AT)
    same = (r for r in looked_at if (r.experiment, r.pipeline) == (experiment, pipeline))
    return list(islice((r for r in same if any(stage.key_parts for stage in r.stages)), RECENT))


def look_back(
    recent: Sequence[RunRecord],
    before: RunRecord | None,
    told: Mapping[str, Mapping[str, Any]],
    code: CodeStore,
    definitions: Definitions,
) -> Past:
    """Say what a plan compares with: the run `before`. `told` says of each external URI what it is now."""
    if before is None:
        return Past()
    stages = {stage.name: stage for stage in before.stages}

    def changed_code(module: str, old: str, new: str) -> str:
        known = code.get(old)
        return explain(known, definitions(module)) if known is not None else ""

    def insight(spec: StageSpec) -> Insight:
        stage = stages.get(spec.name)
        sources = {} if stage is None else stage.sources
        said = {arg: tell_source(told[uri], sources.get(arg)) for arg, uri in spec.external_inputs().items()}
        return Insight(code=changed_code, source=said)

    return Past(
        run=before.id,
        parts={stage.name: stage.key_parts for stage in before.stages if stage.key_parts},
        seconds=_seconds(recent),
        insight=insight,
    )


def read_run(records: RunRecords, where: str, run_id: str) -> RunRecord:
    """Read a run that the config names at `where`. Raises `ConfigError`."""
    try:
        return records.read(run_id)
    except UnreadableRecord as error:
        raise ConfigError.one(where, str(error), "see what there is: headrace runs") from error


def tell_source(now: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """Say in what an external input differs from what it was."""
    name = now["uri"].partition(":")[2]
    size = _size(now["bytes"])
    if now["uri"].startswith("model:"):
        return f"{name}: {_version((before or {}).get('version'))} → {_version(now['version'])}"
    if before is None:
        return f"{name} changed ({size})"
    if before["uri"] != now["uri"]:
        return f"source {before['uri']} → {now['uri']} ({size})"
    old, new = before.get("files") or {}, now.get("files") or {}
    if len(new) > 1 and old:
        differ = sum(old.get(file) != digest for file, digest in new.items())
        gone = len(old.keys() - new.keys())
        more = f", {gone} gone" if gone else ""
        return f"{name} changed ({size}, {differ} of {len(new)} files{more})"
    was = _size(before["bytes"])
    return f"{name} changed ({size}" + (f", was {was})" if was != size else ")")


def _version(number: int | None) -> str:
    return "no version" if number is None else f"version {number}"


def _seconds(recent: Sequence[RunRecord]) -> dict[str, float]:
    took: dict[str, list[float]] = {}
    for record in recent:
        for stage in record.stages:
            if stage.state == "ran":
                took.setdefault(stage.name, []).append(stage.seconds)
    return {name: median(seconds) for name, seconds in took.items()}


def _size(number: int) -> str:
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"
