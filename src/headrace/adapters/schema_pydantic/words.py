"""Say what was found and what was wanted, short enough for any message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from headrace.adapters.schema_pydantic.checks import RowCheck
from headrace.adapters.schema_pydantic.kinds import Kind
from headrace.errors import RowProblem, did_you_mean

SHOWN = 60  # characters of a value
LISTED = 10  # values of a list
_INT64 = (-(2**63), 2**63 - 1)
NO_MISSING = "no missing value"


def shorten(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def show(value: Any, private: bool = False) -> str:
    """Tell a value that was found; of a private column only whether there was one."""
    if value is None or value != value:  # NaN and NaT differ from themselves
        return "no value"
    if private:
        return "a value"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return shorten(repr(value[: SHOWN + 1]))
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, int) and abs(value) >= 10**SHOWN:
        return "a whole number of more than 60 digits"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return f"a value of type {type(value).__name__}"


def list_some(values: Iterable[Any]) -> str:
    """Name ten values at most, and count the others."""
    names = [shorten(str(plain(value))) for value in values]
    more = f" (and {len(names) - LISTED} more)" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def say_wanted(kind: Kind, checks: Sequence[RowCheck]) -> str:
    """Say in one phrase what a column takes: `a whole number from 16 to 100`."""
    for check in checks:
        if check.name == "isin":
            others = [_say(kind, one) for one in checks if one is not check]
            return " ".join(["one of", list_some(_values(check)), *others])
    said = [_say(kind, check) for check in checks]
    bounded = any(check.name in ("in_range", "equal_to") for check in checks)
    if kind.word == "integer" and not bounded and (kind.low, kind.high) != _INT64:
        said.insert(0, f"(between {kind.low} and {kind.high})")
    return " ".join([kind.name, " and ".join(said).replace(") and ", ") ")]).strip()


def _values(check: RowCheck) -> Sequence[Any]:
    return list(next(iter(check.args.values())))


def _say(kind: Kind, check: RowCheck) -> str:
    args = {name: plain(value) for name, value in check.args.items()}
    if check.name == "in_range":
        above = "from" if args.get("include_min", True) else "above"
        to = "to" if args.get("include_max", True) else "and below" if above == "above" else "to below"
        return f"{above} {args['min_value']} {to} {args['max_value']}"
    if check.name == "str_length":
        return _say_length(**args)
    if check.name in ("isin", "notin"):
        word = "among" if check.name == "isin" else "none of"
        return f"{word} {list_some(_values(check))}"
    (bound,) = args.values()
    return {
        "equal_to": f"equal to {bound}",
        "not_equal_to": f"other than {bound}",
        "greater_than": f"above {bound}",
        "greater_than_or_equal_to": f"from {bound}",
        "less_than": f"below {bound}",
        "less_than_or_equal_to": f"up to {bound}",
        "str_matches": f"that starts with a match of {shorten(str(bound))}",
        "str_contains": f"that has a match of {shorten(str(bound))}",
        "str_startswith": f"that starts with {shorten(repr(bound))}",
        "str_endswith": f"that ends with {shorten(repr(bound))}",
    }[check.name]


def _say_length(
    min_value: int | None = None, max_value: int | None = None, exact_value: int | None = None
) -> str:
    if exact_value is not None:
        return f"of {exact_value} characters"
    if max_value is None:
        return f"of at least {min_value} characters"
    return f"of {min_value or 0} to {max_value} characters"


def unknown_column(row: int | None, name: str, known: Sequence[str]) -> RowProblem:
    short = shorten(name)
    return RowProblem(
        row=row,
        column=short,
        found="an unknown column",
        wanted=f"no such column; {did_you_mean(short, known)}",
    )


def missing_column(row: int | None, name: str, wanted: str) -> RowProblem:
    return RowProblem(row=row, column=name, found="no such column", wanted=wanted)


def of_request(found: str, wanted: str) -> RowProblem:
    return RowProblem(row=None, column=None, found=found, wanted=wanted)


def unequal(lengths: Mapping[str, int]) -> RowProblem:
    """Name the shortest and the longest of columns that should be of one length."""
    short, long = min(lengths, key=lambda name: lengths[name]), max(lengths, key=lambda name: lengths[name])
    found = f"{lengths[short]} values of {shorten(short)} and {lengths[long]} of {shorten(long)}"
    return of_request(found, "columns of one length")
