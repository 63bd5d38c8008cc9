"""Pandera's checks of one value, from its serialisation format: what each allows, and how to say it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.adapters.schema_pydantic.kinds import Kind
from headrace.adapters.schema_pydantic.times import as_bound

Test = Callable[[Any], Any]

# The argument that a check has where its value stands alone.
_ONLY_ARGUMENT = {
    "equal_to": "value",
    "not_equal_to": "value",
    "greater_than": "min_value",
    "greater_than_or_equal_to": "min_value",
    "less_than": "max_value",
    "less_than_or_equal_to": "max_value",
    "in_range": "min_value",
    "isin": "allowed_values",
    "notin": "forbidden_values",
    "str_matches": "pattern",
    "str_contains": "pattern",
    "str_startswith": "string",
    "str_endswith": "string",
    "str_length": "min_value",
}
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "equal_to": operator.eq,
    "not_equal_to": operator.ne,
    "greater_than": operator.gt,
    "greater_than_or_equal_to": operator.ge,
    "less_than": operator.lt,
    "less_than_or_equal_to": operator.le,
}
_LIST_AT_MOST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCheck:
    """One check, with its arguments as they were written.

    `holds` takes a value, `many` a numpy array of numbers, where there is such a form.
    """

    name: str
    args: Mapping[str, Any]
    ignore_na: bool
    holds: Test
    many: Test | None = None

    def missing_holds(self, kind: Kind) -> bool:
        """Tell whether a missing value passes: nearly always, for Pandera leaves it out of most checks.

        Where it does not, pandas compares: nothing equals NaN, and what is compared with NA is not false.
        """
        if self.ignore_na:
            return True
        if self.name in ("isin", "notin"):
            listed = None in next(iter(self.args.values())) and kind.word not in (
                "integer",
                "number",
                "boolean",
            )
            return listed is (self.name == "isin")
        if self.name == "not_equal_to":
            return True
        return kind.masked and (self.name in (*_COMPARISONS, "in_range", "str_length"))


def read_checks(kind: Kind, checks: Mapping[str, Any]) -> tuple[RowCheck, ...]:
    """Read the checks of a column. Those that only warn in training hold nobody back here."""
    found = []
    for name, said in checks.items():
        args, options = _arguments(name, said)
        if name in _ONLY_ARGUMENT and not options.get("raise_warning"):
            holds, many = _test(kind, name, {key: _as_column(kind, value) for key, value in args.items()})
            ignore = bool(options.get("ignore_na", True))
            found.append(RowCheck(name=name, args=args, ignore_na=ignore, holds=holds, many=many))
    return tuple(found)


def _arguments(name: str, said: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a check's arguments by name, and its options, however the schema writes them."""
    only = _ONLY_ARGUMENT.get(name, "value")
    if not isinstance(said, Mapping):
        return {only: said}, {}
    args = dict(said)
    options = dict(args.pop("options", None) or {})
    if set(args) == {"value"}:
        args = {only: args["value"]}
    return args, options


def _as_column(kind: Kind, value: Any) -> Any:
    """Bring an argument to what the column's values are, as pandas does when it compares."""
    if isinstance(value, (list, tuple, set, frozenset)):
        # pandas looks members up without rounding them first.
        return [as_bound(one, kind.zone) if kind.word == "time" else one for one in value]
    if kind.word == "time":
        return as_bound(value, kind.zone)
    if kind.precision is not None and isinstance(value, float):
        return float(kind.precision(value))
    return value


def _test(kind: Kind, name: str, args: Mapping[str, Any]) -> tuple[Test, Test | None]:
    if name in _COMPARISONS:
        (bound,) = args.values()
        compare = _COMPARISONS[name]
        return _sure(lambda value: compare(value, bound), name == "not_equal_to"), _numeric(
            kind, [bound], lambda values: compare(values, bound)
        )
    if name == "in_range":
        return _in_range(kind, **args)
    if name in ("isin", "notin"):
        return _member(kind, name == "isin", next(iter(args.values()))), None
    if name == "str_length":
        return _length(**args), None
    text = str(next(iter(args.values())))
    if name == "str_startswith":
        return _of_text(lambda value: value.startswith(text)), None
    if name == "str_endswith":
        return _of_text(lambda value: value.endswith(text)), None
    pattern = compile_pattern(kind, text)
    look = pattern.match if name == "str_matches" else pattern.search
    return _of_text(lambda value: look(value) is not None), None


def _in_range(
    kind: Kind, min_value: Any, max_value: Any, include_min: bool = True, include_max: bool = True
) -> tuple[Test, Test | None]:
    above = operator.ge if include_min else operator.gt
    below = operator.le if include_max else operator.lt

    def holds(value: Any) -> bool:
        return bool(above(value, min_value) and below(value, max_value))

    def many(values: Any) -> Any:
        return above(values, min_value) & below(values, max_value)

    return _sure(holds), _numeric(kind, [min_value, max_value], many)


def _member(kind: Kind, inside: bool, values: Any) -> Test:
    """Tell whether a value is one of these. Where a column may hold both, true is not 1."""
    if kind.word == "scalar":
        apart = {(isinstance(value, bool), value) for value in values}
        return lambda value: ((isinstance(value, bool), value) in apart) is inside
    among = set(values)
    return lambda value: (value in among) is inside


def _length(
    min_value: int | None = None, max_value: int | None = None, exact_value: int | None = None
) -> Test:
    if exact_value is not None:
        return _of_text(lambda value: len(value) == exact_value)
    low = 0 if min_value is None else min_value
    return _of_text(lambda value: len(value) >= low and (max_value is None or len(value) <= max_value))


def _of_text(test: Callable[[str], bool]) -> Test:
    return lambda value: isinstance(value, str) and test(value)


def _sure(test: Test, otherwise: bool = False) -> Test:
    """Let values that cannot be compared fail, as in Pandera, where the comparison's error is a failure."""

    def holds(value: Any) -> bool:
        try:
            return bool(test(value))
        except TypeError:
            return otherwise

    return holds


def _numeric(kind: Kind, bounds: list[Any], many: Test) -> Test | None:
    comparable = all(isinstance(bound, (int, float)) for bound in bounds)
    return many if kind.word in ("integer", "number") and comparable else None


def compile_pattern(kind: Kind, text: str) -> re.Pattern[str]:
    """Compile a pattern as the column's own strings are searched.

    pandas searches a `str` column with RE2: its classes are ASCII, and `$` is the end and not before a
    last line break. Patterns that RE2 has not, and columns of objects, go to Python's own `re`.
    """
    if kind.word != "string" or re.search(r"\(\?[=!<(]|\\[1-9]", text):
        return re.compile(text)
    at_end = re.sub(r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|\$", lambda m: m.group(1) or r"\Z", text)
    return re.compile(at_end, re.ASCII)
