"""Inputs that a run does without: of stages that it leaves out, and a champion that nobody challenges."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from headrace.core.signature import Signature
from headrace.core.spec import CHAMPION, PublishSpec, StageSpec
from headrace.errors import Problem, did_you_mean

Signatures = Mapping[str, Signature]


def leave_out(
    stages: Sequence[StageSpec], names: Sequence[str], signatures: Signatures, problems: list[Problem]
) -> list[StageSpec]:
    """Return the stages that are left. Those that read what is left out get their defaults instead.

    A name that no stage has, and an argument without a default, become problems.
    """
    there = [stage.name for stage in stages]
    for name in names:
        if name not in there:
            hint = did_you_mean(name, there, "leave_out=[{}]")
            problems.append(Problem("leave_out", f"there is no stage '{name}'", hint))
    gone = {artifact: s.name for s in stages if s.name in names for artifact in s.outputs.values()}
    kept = []
    for stage in stages:
        if stage.name in names:
            continue
        lost = {arg: gone[made] for arg, made in stage.artifact_inputs().items() if made in gone}
        for argument, maker in lost.items():
            if _is_required(signatures, stage, argument):
                found = f"stage {stage.name} cannot do without '{stage.inputs[argument]}' of {maker}"
                problems.append(Problem("leave_out", found, f"leave out {stage.name} too, or neither"))
        kept.append(_without(stage, lost))
    return kept


def name_champion(
    stages: Sequence[StageSpec],
    publish: PublishSpec | None,
    signatures: Signatures,
    problems: list[Problem],
) -> list[StageSpec]:
    """Return the stages with `champion:` inputs as `model:` URIs; without them where nothing is published.

    An argument without a default becomes a problem.
    """
    named = []
    for stage in stages:
        asking = [argument for argument, uri in stage.inputs.items() if uri == CHAMPION]
        for argument in asking:
            if _is_required(signatures, stage, argument):
                where = f"stages.{stage.name}.inputs.{argument}"
                found = f"there may be no champion, and {stage.call} has no default for '{argument}'"
                problems.append(Problem(where, found, f"write {argument}=None in its signature"))
        if publish is None:
            named.append(_without(stage, asking))
        else:
            uri = f"model:{publish.model}@{publish.alias}"
            named.append(replace(stage, inputs={**stage.inputs, **dict.fromkeys(asking, uri)}))
    return named


def _without(stage: StageSpec, arguments: Collection[str]) -> StageSpec:
    if not arguments:
        return stage
    return replace(stage, inputs={arg: uri for arg, uri in stage.inputs.items() if arg not in arguments})


def _is_required(signatures: Signatures, stage: StageSpec, argument: str) -> bool:
    signature = signatures.get(stage.name)
    return signature is not None and signature.requires(argument)
