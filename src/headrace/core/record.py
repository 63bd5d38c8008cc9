"""The record of a run, `run.json`: the truth about it, of which everything else is a view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from headrace.core.artifact import Artifact

FORMAT = 1

RunState = Literal["running", "succeeded", "failed", "rejected", "pruned", "interrupted"]
StageState = Literal["running", "ran", "cached", "pruned", "failed", "skipped"]


@dataclass(slots=True, kw_only=True)
class StageRecord:
    """One stage of one run. `outputs` is by artifact name, `inputs` holds digests by argument.

    `sources` says of each external input, by argument, what it is: `uri`, `bytes`, and `files` with a
    digest by name where there are not too many.
    """

    name: str
    state: StageState
    reason: str = ""
    key: str | None = None
    key_parts: dict[str, Any] | None = None
    seconds: float = 0.0
    attempts: int = 0
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, Artifact] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True, kw_only=True)
class RunRecord:
    """See the design for each field; `started` is ISO 8601 in UTC.

    `machine` is what may change a result beside code and data: CPU, threads, operating system.
    """

    id: str
    experiment: str
    pipeline: str
    command: str
    state: RunState
    started: str
    seconds: float
    seed: int
    config: dict[str, Any]
    git: dict[str, Any]
    packages: dict[str, str]
    source: dict[str, Any]
    resume: str
    stages: list[StageRecord] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    gate: dict[str, Any] | None = None
    published: dict[str, Any] | None = None
    already: dict[str, Any] | None = None  # the version that the package was before the run
    prefect: dict[str, Any] = field(default_factory=dict)
    wandb: dict[str, Any] = field(default_factory=dict)
    sweep: dict[str, Any] | None = None
    machine: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        return {**self.head_json(), "stages": [stage.to_json() for stage in self.stages]}

    def head_json(self) -> dict[str, Any]:
        """Return everything but the stages."""
        names = [f.name for f in fields(self) if f.name not in ("format", "stages")]
        return {"format": self.format, **{name: getattr(self, name) for name in names}}

    @property
    def branch(self) -> str:
        return branch_of(self.id)


def branch_of(run_id: str) -> str:
    """Return the name of a run's branch in the lake."""
    return f"run-{run_id}"


class UnreadableRecord(ValueError):
    """A record that is damaged or of a newer format."""


def parse_record(data: Any) -> RunRecord:
    """Rebuild a record from JSON; its fields have the types that they are declared with.

    Raises `UnreadableRecord`.
    """
    try:
        if data["format"] > FORMAT:
            raise UnreadableRecord(f"format {data['format']} is newer than {FORMAT}: update headrace")
        stages = [_parse_stage(stage) for stage in data["stages"]]
        record = RunRecord(**{**data, "stages": stages})
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableRecord(f"not a run record: {error}") from error
    check_types(record, _RUN_TYPES)
    _check_values(record)
    return record


def _parse_stage(data: dict[str, Any]) -> StageRecord:
    outputs = {name: Artifact.from_json(item) for name, item in data["outputs"].items()}
    stage = StageRecord(**{**data, "outputs": outputs})
    check_types(stage, _STAGE_TYPES, "stages.")
    for name, artifact in outputs.items():
        check_types(artifact, _ARTIFACT_TYPES, f"stages.{stage.name}.outputs.{name}.")
    if not all(isinstance(digest, str) for digest in stage.inputs.values()):
        raise UnreadableRecord(f"stages.{stage.name}.inputs holds what is no digest")
    for name, source in stage.sources.items():
        if not isinstance(source, dict) or not {"uri", "bytes"} <= source.keys():
            raise UnreadableRecord(f"stages.{stage.name}.sources.{name} is no source")
    return stage


_KINDS: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "dict": (dict,),
    "list": (list,),
    "RunState": (str,),
    "StageState": (str,),
    "SweepState": (str,),
    "TrialState": (str,),
    "None": (type(None),),
}


def declared_types(cls: type) -> dict[str, tuple[type, ...]]:
    """Return which types each field may have, as its annotation says."""
    return {
        f.name: tuple(kind for word in str(f.type).split(" | ") for kind in _KINDS[word.partition("[")[0]])
        for f in fields(cls)
    }


_RUN_TYPES = declared_types(RunRecord)
_STAGE_TYPES = declared_types(StageRecord)
_ARTIFACT_TYPES = declared_types(Artifact)


def check_types(found: object, types: Mapping[str, tuple[type, ...]], where: str = "") -> None:
    """Raise `UnreadableRecord` where a field is of a type that it is not declared with.

    `types` is what `declared_types` gives, `where` stands before the field's name in the message.
    """
    for name, kinds in types.items():
        value = getattr(found, name)
        if not isinstance(value, kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise UnreadableRecord(f"{where}{name} is {type(value).__name__}, not {wanted}")


def _check_values(record: RunRecord) -> None:
    if not all(isinstance(value, int | float) for value in record.metrics.values()):
        raise UnreadableRecord("metrics holds what is no number")
    if record.gate is not None and "passed" not in record.gate:
        raise UnreadableRecord("gate does not say whether it passed")
    check_started(record.started)


def check_started(started: str) -> None:
    """Raise `UnreadableRecord` where this is no time in ISO 8601 with a zone."""
    try:
        zone = datetime.fromisoformat(started).tzinfo
    except ValueError as error:
        raise UnreadableRecord(f"started: {error}") from error
    if zone is None:
        raise UnreadableRecord(f"started: {started} has no time zone")
