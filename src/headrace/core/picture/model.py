"""What a picture of a pipeline shows: a box for each stage, and a link for what one reads of another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.core.graph import Graph
from headrace.core.plan import Plan
from headrace.core.record import RunRecord, StageRecord

QUIET = ("cached", "skipped", "running")  # states whose seconds say nothing of the stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A stage. `state` is a plan's (`RUN`) or a record's (`ran`), '' where neither is known.

    `seconds` is what it took, or where `lately` what it took when it last executed; None where unknown.
    """

    name: str
    state: str = ""
    seconds: float | None = None
    lately: bool = False
    reason: str = ""

    @property
    def note(self) -> str:
        """State and seconds in a few words, '' where neither is known."""
        took = "" if self.seconds is None else f"{'~' if self.lately else ''}{tell_seconds(self.seconds)}"
        return " ".join(filter(None, (self.state, took)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What the stage `target` reads of the stage `source`: artifacts, in the order of its inputs."""

    source: str
    target: str
    artifacts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Boxes in the order of the graph: each comes after those that it reads."""

    title: str
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON: stages with state, seconds, reason, and what they read of which stage."""
        reads: dict[str, list[dict[str, Any]]] = {box.name: [] for box in self.boxes}
        for link in self.links:
            reads[link.target].append({"stage": link.source, "artifacts": list(link.artifacts)})
        stages = [
            {
                "name": box.name,
                "state": box.state or None,
                "seconds": box.seconds,
                "lately": box.lately,
                "reason": box.reason or None,
                "reads": reads[box.name],
            }
            for box in self.boxes
        ]
        return {"title": self.title, "stages": stages}


def picture_of_plan(
    title: str, graph: Graph, plan: Plan | None = None, seconds: Mapping[str, float] | None = None
) -> Picture:
    """Return the picture of a graph, with what would become of its stages where there is a plan.

    `seconds` says by stage what it took lately; what it took when it was cached counts before that.
    """
    planned = {stage.name: stage for stage in plan.stages} if plan is not None else {}
    boxes = []
    for spec in graph.order:
        stage, took = planned.get(spec.name), (seconds or {}).get(spec.name)
        if stage is not None and stage.result is not None:
            took = stage.result.seconds
        state, reason = (str(stage.state), stage.reason) if stage is not None else ("", "")
        boxes.append(Box(name=spec.name, state=state, seconds=took, lately=True, reason=reason))
    names = {spec.name for spec in graph.order}
    links = [
        link
        for spec in graph.order
        for link in _links(spec.name, spec.artifact_inputs().values(), graph.producer)
        if link.source in names
    ]
    return Picture(title=title, boxes=tuple(boxes), links=tuple(links))


def picture_of_run(record: RunRecord) -> Picture:
    """Return the picture of a past run, with states and seconds. It tells what the record tells."""
    boxes = tuple(
        Box(
            name=stage.name,
            state=stage.state,
            seconds=None if stage.state in QUIET else stage.seconds,
            reason=stage.reason.partition("\n")[0],
        )
        for stage in record.stages
    )
    place = {box.name: number for number, box in enumerate(boxes)}
    producer = {artifact: stage.name for stage in record.stages for artifact in stage.outputs}
    specs = record.config.get("stages")
    if not isinstance(specs, Mapping):
        specs = {}
    for name, spec in specs.items():
        for artifact in _named(spec, "outputs"):  # of a stage that failed the record has no outputs
            producer.setdefault(artifact, str(name))
    links = [
        link
        for stage in record.stages
        for link in _links(stage.name, _read_by(stage, specs.get(stage.name), record), producer)
        # A damaged record may say anything; a picture needs links that go forward.
        if link.source in place and place[link.source] < place[link.target]
    ]
    return Picture(title=f"{record.experiment}, run {record.id}", boxes=boxes, links=tuple(links))


def _read_by(stage: StageRecord, spec: Any, record: RunRecord) -> list[str]:
    """Return the artifacts that a stage read: by name, as its config says, else by digest."""
    if named := _named(spec, "inputs"):
        return named
    made = {a.digest: name for one in record.stages for name, a in one.outputs.items()}
    return [made[digest] for digest in stage.inputs.values() if digest in made]


def _named(spec: Any, key: str) -> list[str]:
    names = spec.get(key) if isinstance(spec, Mapping) else None
    return [str(name) for name in names.values()] if isinstance(names, Mapping) else []


def _links(target: str, artifacts: Iterable[str], producer: Mapping[str, str]) -> Iterator[Link]:
    read: dict[str, dict[str, None]] = {}
    for artifact in artifacts:
        if artifact in producer:
            read.setdefault(producer[artifact], {})[artifact] = None
    for source, names in read.items():
        yield Link(source=source, target=target, artifacts=tuple(names))


def tell_seconds(value: float) -> str:
    """Say a span of time in as many digits as a person reads."""
    if value < 9.95:
        return f"{value:.2g} s" if value < 0.995 else f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"
