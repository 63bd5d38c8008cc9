"""Checks of a config against the code it names: functions, classes and their arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import MISSING

from headrace.config.check_value import check_value
from headrace.core.code import CodeIndex
from headrace.core.key import CONTEXT
from headrace.core.signature import NotCallable, Signature, find_signature
from headrace.core.spec import TARGET, StageSpec
from headrace.errors import Problem, did_you_mean

_MODEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]+|\.{2,}")


def check_stage(
    index: CodeIndex, spec: StageSpec, where: str, written_at: Mapping[str, str]
) -> tuple[Signature | None, list[Problem]]:
    """Check one stage against the signature of its function.

    `written_at` says at which key a param's value is really written, for hints that can be typed.
    """
    try:
        signature = find_signature(index, spec.call)
    except NotCallable as error:
        found = f"cannot import '{spec.call}': {error.found}"
        return None, [Problem(f"{where}.call", found, _at(where, "call", error))]
    problems = list(_check_arguments(spec, where, signature))
    problems += [
        Problem(
            f"{where}.depends_on", f"there is no module '{name}'", "name modules, such as my_project.rules"
        )
        for name in spec.depends_on
        if index.locate(name) is None
    ]
    for name, value in spec.params.items():
        problems += check_value(signature, f"{where}.params.{name}", name, value)
        problems += check_node(index, written_at.get(name, f"{where}.params.{name}"), value)
    if signature.returns is not None:
        problems += [
            Problem(
                f"{where}.outputs.{name}",
                f"{spec.call} returns no '{name}'",
                did_you_mean(name, signature.returns, f"{where}.outputs.{{}}=<artifact>"),
            )
            for name in spec.outputs
            if name not in signature.returns
        ]
    return signature, problems


def _at(where: str, key: str, error: NotCallable) -> str:
    return error.hint.replace("did you mean ", f"did you mean {where}.{key}=", 1)


def _check_arguments(spec: StageSpec, where: str, signature: Signature) -> Iterator[Problem]:
    names = signature.names()
    for part, given in (("inputs", spec.inputs), ("params", spec.params)):
        for name in given:
            if name == CONTEXT:
                yield Problem(f"{where}.{part}.{name}", "'context' is given by headrace", "leave it out")
            elif name not in names and not signature.any_name:
                free = [n for n in names if n not in spec.inputs and n not in spec.params and n != CONTEXT]
                hint = did_you_mean(name, free or [n for n in names if n != CONTEXT], f"{where}.{part}.{{}}")
                yield Problem(f"{where}.{part}.{name}", f"{spec.call} has no argument '{name}'", hint)
    for name in sorted(set(spec.inputs) & set(spec.params)):
        yield Problem(f"{where}.params.{name}", "is an input already", "leave one of the two out")
    for param in signature.params:
        if param.required and param.name not in {CONTEXT, *spec.inputs, *spec.params}:
            found = f"{spec.call} needs '{param.name}'"
            yield Problem(where, found, f"type: {where}.params.{param.name}=<value>")


def check_node(index: CodeIndex, where: str, value: Any) -> Iterator[Problem]:
    """Check every `_target_` in a tree: it exists, and takes the arguments beside it."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from check_node(index, f"{where}[{i}]", item)
    if not isinstance(value, Mapping):
        return
    if TARGET in value:
        yield from _check_target(index, where, value)
    for name, child in value.items():
        yield from check_node(index, f"{where}.{name}", child)


def _check_target(index: CodeIndex, where: str, node: Mapping[str, Any]) -> Iterator[Problem]:
    target = node[TARGET]
    if not isinstance(target, str):
        yield Problem(f"{where}.{TARGET}", f"{target!r} is not a dotted name", "")
        return
    try:
        signature = find_signature(index, target)
    except NotCallable as error:
        yield Problem(
            f"{where}.{TARGET}", f"cannot import '{target}': {error.found}", _at(where, TARGET, error)
        )
        return
    given = [name for name in node if not (name.startswith("_") and name.endswith("_"))]
    for name in given:
        if name not in signature.names() and not signature.any_name:
            hint = did_you_mean(name, signature.names(), f"{where}.{{}}")
            yield Problem(f"{where}.{name}", f"{target} has no argument '{name}'", hint)
        else:
            yield from check_value(signature, f"{where}.{name}", name, node[name])


def check_adapter(index: CodeIndex, where: str, node: Any) -> Iterator[Problem]:
    """Check a node that must be there and be built, such as the lake."""
    if not isinstance(node, Mapping) or TARGET not in node:
        found = "is not chosen" if not node else f"has no {TARGET}"
        yield Problem(where, found, f"choose an option of conf/{where}/: {where}=<option>")
    else:
        yield from check_node(index, where, node)


def check_model_name(where: str, name: str) -> Iterator[Problem]:
    """Check that a model's name can be part of a tag and of a path in the lake."""
    if name != MISSING and not _MODEL_NAME.fullmatch(name):
        found = f"'{name}' is no name for a model: letters, digits, '_', '-' and single dots between them"
        yield Problem(where, found, f"type: {where}={_NO_NAME.sub('-', name).strip('-') or '<name>'}")
