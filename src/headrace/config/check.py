"""Checks of a config against the code it names: functions, classes and their arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headrace.core.code import CodeIndex
from headrace.core.key import CONTEXT
from headrace.core.signature import NotCallable, Parameter, Signature, find_signature
from headrace.core.spec import TARGET, StageSpec
from headrace.errors import Problem, did_you_mean

PLAIN_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
    "None": (type(None),),
}


def check_stage(
    index: CodeIndex, spec: StageSpec, where: str, written_at: Mapping[str, str]
) -> tuple[Signature | None, list[Problem]]:
    """Check one stage against the signature of its function.

    `written_at` says at which key a param's value is really written, for hints that can be typed.
    """
    try:
        signature = find_signature(index, spec.call)
    except NotCallable as error:
        hint = error.hint.replace("did you mean ", f"did you mean {where}.call=", 1)
        return None, [Problem(f"{where}.call", f"cannot import '{spec.call}': {error.found}", hint)]
    problems = list(_check_arguments(spec, where, signature))
    for name, value in spec.params.items():
        problems += _check_value(signature, f"{where}.params.{name}", name, value)
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
        yield Problem(f"{where}.{TARGET}", f"cannot import '{target}': {error.found}", error.hint)
        return
    given = [name for name in node if not (name.startswith("_") and name.endswith("_"))]
    for name in given:
        if name not in signature.names() and not signature.any_name:
            hint = did_you_mean(name, signature.names(), f"{where}.{{}}")
            yield Problem(f"{where}.{name}", f"{target} has no argument '{name}'", hint)
        else:
            yield from _check_value(signature, f"{where}.{name}", name, node[name])


def _check_value(signature: Signature, where: str, name: str, value: Any) -> Iterator[Problem]:
    param = next((p for p in signature.params if p.name == name), None)
    if param is None or (isinstance(value, Mapping) and TARGET in value):
        return
    allowed = _plain_types(param)
    if allowed and (not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)):
        wanted = param.annotation.replace("'", "")
        yield Problem(where, f"{value!r} is not of type {wanted}", f"type: {where}=<{wanted}>")


def _plain_types(param: Parameter) -> tuple[type, ...]:
    """Return the types that an annotation allows, or () where it says more than plain types."""
    found: tuple[type, ...] = ()
    for part in param.annotation.replace(" ", "").split("|"):
        plain = part.partition("[")[0]
        if plain not in PLAIN_TYPES:
            return ()
        found += PLAIN_TYPES[plain]
    return found


# Pandera's serialisation format (what its to_yaml writes), so that a typo ends before anything runs.
SCHEMA_KEYS = (
    "schema_type version api dataframe_library columns checks index multiindex dtype coerce strict name ordered "
    "unique report_duplicates unique_column_names add_missing_columns title description drop_invalid_rows "
    "metadata model"
).split()
COLUMN_KEYS = (
    "title description dtype nullable checks name unique coerce required regex default report_duplicates "
    "drop_invalid_rows metadata "
    "equal_to not_equal_to greater_than greater_than_or_equal_to less_than less_than_or_equal_to in_range isin "
    "notin str_matches str_contains str_startswith str_endswith str_length unique_values_eq"
).split()


def check_schema(where: str, schema: Any) -> Iterator[Problem]:
    """Check the keys of a schema and of its columns."""
    if not isinstance(schema, Mapping):
        return
    for key in schema:
        if key not in SCHEMA_KEYS:
            yield Problem(f"{where}.{key}", "a schema has no such key", did_you_mean(key, SCHEMA_KEYS))
    columns = schema.get("columns")
    for name, column in columns.items() if isinstance(columns, Mapping) else ():
        for key in column or ():
            if key not in COLUMN_KEYS:
                path = f"{where}.columns.{name}.{key}"
                yield Problem(path, "a column has no such key", did_you_mean(key, COLUMN_KEYS))
