"""Ask a run's gate again, against what the alias names today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from headrace.adapters.source_models import SourceModels
from headrace.adapters.tracker_none import NoTracker
from headrace.config.build import build_node
from headrace.context import StageContext
from headrace.core.artifact import Artifact
from headrace.core.code import CodeIndex
from headrace.core.key import CONTEXT
from headrace.core.ports import Codec, LakeStore
from headrace.core.record import RunRecord, StageRecord
from headrace.core.secrets import REDACTED
from headrace.core.signature import NotCallable, Signature, find_signature
from headrace.core.spec import CHAMPION, is_external
from headrace.errors import GateRejected, HeadraceError
from headrace.execute import artifact_is_there, import_call, load_artifact

GATE = "gate"  # the artifact, where the run's config does not name another
MODEL = "model:"


class CannotAsk(GateRejected):
    """The gate has no answer to give; nothing moves, and only a reason to go on without it helps."""

    @classmethod
    def by(cls, run: str, why: str) -> CannotAsk:  # type: ignore[override]
        hint = "to go on without it, add: 'force=why it is right'"
        return cls(f"the gate of run {run} cannot be asked again: {why}\n{hint}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says today. `champion` is the version that the run was compared with."""

    passed: bool
    checks: tuple[Mapping[str, Any], ...]
    champion: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A run whose gate is asked: it is to be behind `alias`, where `champion` is today.

    `champion` is the package with its version, None where the alias names none, or the run's own.
    """

    record: RunRecord
    model: str
    alias: str
    champion: tuple[int, Artifact] | None


def ask_again(
    judged: Judged,
    lake: LakeStore,
    codecs: Sequence[Codec],
    models: SourceModels,
    index: CodeIndex,
    work: Path,
) -> Verdict | None:
    """Judge a run by its own stages and its own artifacts; None where it has no gate.

    What reads the champion is called again, then whatever of it the gate reads, then the gate; all the
    rest is what the run left in the lake. Nothing is written but below `work`. The functions are those of
    today. Raises `CannotAsk` where artifacts are gone, or a stage fails.
    """
    gate = _name_of_gate(judged.record)
    again = _Again(judged, lake, codecs, models, index, work)
    if gate not in again.producer:
        return None
    try:
        said = again.value(gate)
    except GateRejected:
        raise
    except Exception as error:  # whatever a stage raises: it is no answer
        what = str(error) if isinstance(error, HeadraceError) else f"{type(error).__name__}: {error}"
        raise CannotAsk.by(judged.record.id, what) from error
    champion = None if judged.champion is None else judged.champion[0]
    return Verdict(passed=bool(said["passed"]), checks=tuple(said.get("checks") or ()), champion=champion)


def _name_of_gate(record: RunRecord) -> str:
    publish = record.config.get("publish")
    found = publish.get(GATE, GATE) if isinstance(publish, Mapping) else GATE
    return str(found)  # a run without a gate names None, which no stage makes


class _Again:
    """The part of a run that is done again, each stage once."""

    def __init__(
        self,
        judged: Judged,
        lake: LakeStore,
        codecs: Sequence[Codec],
        models: SourceModels,
        index: CodeIndex,
        work: Path,
    ) -> None:
        self._judged = judged
        self._lake = lake
        self._codecs = codecs
        self._models = models
        self._index = index
        self._work = work
        record = judged.record
        ran = {stage.name: stage for stage in record.stages if stage.state in ("ran", "cached")}
        self._stages: dict[str, StageRecord] = ran
        self._config = {
            name: node for name, node in (record.config.get("stages") or {}).items() if name in ran
        }
        self.producer = {
            artifact: name
            for name, node in self._config.items()
            for artifact in (node.get("outputs") or {}).values()
        }
        self._called: dict[str, Any] = {}
        self._anew = self._find_anew()
        self._require_artifacts()

    def value(self, artifact: str, wanted: str = "") -> Any:
        """Return an artifact: made again, or as the run left it."""
        if self.producer[artifact] in self._anew:
            self._call(self.producer[artifact])
            return self._called[artifact]
        return self._load(self._recorded(artifact), wanted)

    def _find_anew(self) -> set[str]:
        """Return the stages to call: what reads the champion and what reads that, and the gate."""
        gate = self.producer.get(_name_of_gate(self._judged.record))
        if gate is None:
            return set()
        reads = {name: {self.producer[a] for a in self._artifacts(name)} for name in self._config}
        try:
            order = list(TopologicalSorter(reads).static_order())
        except CycleError as error:  # never of a run's own record
            raise CannotAsk.by(self._judged.record.id, "its record holds a circle") from error
        anew = {gate}
        for name in order:
            if self._reads_champion(name) or (reads[name] & anew and name != gate):
                anew.add(name)
        before = {gate}
        for name in reversed(order):
            if any(name in reads[later] for later in before):
                before.add(name)
        return anew & before

    def _artifacts(self, stage: str) -> list[str]:
        named = (self._config[stage].get("inputs") or {}).values()
        return [one for one in named if one is not None and not is_external(one) and one in self.producer]

    def _reads_champion(self, stage: str) -> bool:
        named = (self._config[stage].get("inputs") or {}).values()
        return any(self._is_champion(one) for one in named if one is not None)

    def _is_champion(self, source: str) -> bool:
        return source == CHAMPION or source == f"{MODEL}{self._judged.model}@{self._judged.alias}"

    def _require_artifacts(self) -> None:
        """Raise `CannotAsk` with every artifact that the lake no longer has."""
        read = dict.fromkeys(a for name in self._anew for a in self._artifacts(name))
        needed = [a for a in read if self.producer[a] not in self._anew]
        there = {name: artifact_is_there(self._lake, self._recorded(name)) for name in needed}
        if gone := sorted(name for name, found in there.items() if not found):
            raise CannotAsk.by(self._judged.record.id, f"the lake no longer has its {', '.join(gone)}")

    def _recorded(self, artifact: str) -> Artifact:
        return self._stages[self.producer[artifact]].outputs[artifact]

    def _load(self, artifact: Artifact, wanted: str) -> Any:
        self._work.mkdir(parents=True, exist_ok=True)
        return load_artifact(self._lake, self._codecs, artifact, wanted, self._work)

    def _call(self, name: str) -> None:
        """Call a stage, once, and keep what it returns by artifact."""
        node = self._config[name]
        outputs = dict(node.get("outputs") or {})
        if outputs and next(iter(outputs.values())) in self._called:
            return
        signature = self._signature(node["call"])
        params = node.get("params") or {}
        if REDACTED in str(params):
            raise CannotAsk.by(self._judged.record.id, f"stage {name} has a secret that no record holds")
        arguments = dict(build_node(params))
        arguments |= self._inputs(name, node.get("inputs") or {}, signature)
        if CONTEXT in signature.names():
            arguments[CONTEXT] = self._context(name)
        returned = import_call(node["call"])(**arguments)
        for key, artifact in outputs.items():
            self._called[artifact] = self._as_stored(returned[key], artifact)

    def _inputs(self, stage: str, named: Mapping[str, Any], signature: Signature) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for argument, source in named.items():
            wanted = signature.type_of(argument)
            if source is None:
                continue
            if is_external(source):
                package = self._package(stage, source)
                if package is not None:
                    found[argument] = self._load(package, wanted)
            elif source in self.producer:  # else its stage was left out, and this one does without
                found[argument] = self.value(source, wanted)
        return found

    def _package(self, stage: str, source: str) -> Artifact | None:
        if self._is_champion(source):
            return None if self._judged.champion is None else self._judged.champion[1]
        if source.startswith(MODEL):
            return self._models.package(source)
        found = f"stage {stage} reads {source} itself, which may be other data by now"
        raise CannotAsk.by(self._judged.record.id, found)

    def _signature(self, call: str) -> Signature:
        try:
            return find_signature(self._index, call)
        except NotCallable as error:
            raise CannotAsk.by(self._judged.record.id, str(error)) from error

    def _context(self, stage: str) -> StageContext:
        workdir = self._work / f"context-{stage}"
        workdir.mkdir(parents=True, exist_ok=True)
        return StageContext(stage, self._judged.record.seed, workdir, NoTracker(), _Silent())

    def _as_stored(self, value: Any, artifact: str) -> Any:
        """Return plain values as the lake would give them back: what reads them expects that."""
        codec = next((codec for codec in self._codecs if codec.accepts(value)), None)
        if codec is None or codec.name != "json":
            return value
        self._work.mkdir(parents=True, exist_ok=True)
        file = self._work / f"again-{artifact}{codec.suffix}"
        codec.write(value, file)
        return codec.read(file, "")


class _Silent:
    """Shows nothing: the run is over, and only its verdict is of interest."""

    def run_started(self, record: RunRecord, stages: int) -> None: ...

    def stage_started(self, name: str, reason: str) -> None: ...

    def stage_finished(self, stage: StageRecord) -> None: ...

    def note(self, text: str) -> None: ...

    def progress(self, stage: str, description: str, total: int) -> Any:
        return nullcontext(lambda note="": None)

    def close(self) -> None: ...


def failed(checks: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [check for check in checks if not check.get("passed")]
