"""What is to run, parsed once and trusted afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TARGET = "_target_"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """One step. `params` is plain JSON in which a mapping with `_target_` is built as the stage runs.

    `inputs` maps arguments to artifacts or to external URIs (`package:`, `file:`, `lake:`, `model:`);
    `outputs` maps returned names to artifacts.
    """

    name: str
    call: str
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    retries: int = 0
    retry_delay_seconds: tuple[float, ...] = ()
    timeout_seconds: float | None = None
    cache: bool = True
    depends_on: tuple[str, ...] = ()

    def artifact_inputs(self) -> dict[str, str]:
        return {arg: name for arg, name in self.inputs.items() if not is_external(name)}

    def external_inputs(self) -> dict[str, str]:
        return {arg: uri for arg, uri in self.inputs.items() if is_external(uri)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishSpec:
    """What a good run hands over: the artifact `package`, as the next version of `model`.

    `gate` is the artifact that must say `passed`; None publishes whatever finished.
    """

    model: str
    package: str
    gate: str | None
    alias: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One thing to run. `config` is the resolved whole, with secrets redacted, for the record."""

    name: str
    pipeline: str
    seed: int
    stages: tuple[StageSpec, ...]
    publish: PublishSpec | None
    source_ref: str
    config: Mapping[str, Any]

    def stage(self, name: str) -> StageSpec:
        return next(stage for stage in self.stages if stage.name == name)


SCHEMES = ("package", "file", "lake", "model")
CHAMPION = "champion:"
"""As an input: the model behind the alias that the run would publish to; it becomes a `model:` URI."""


def is_external(source: str) -> bool:
    """Tell an external URI from the name of an artifact, which holds no colon."""
    return ":" in source


def find_targets(value: Any) -> list[str]:
    """Return every `_target_` inside a parameter tree, sorted."""
    found: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, Mapping):
            if isinstance(node.get(TARGET), str):
                found.add(node[TARGET])
            for child in node.values():
                visit(child)
        elif isinstance(node, list | tuple):
            for child in node:
                visit(child)

    visit(value)
    return sorted(found)
