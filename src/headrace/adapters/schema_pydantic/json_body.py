"""What a JSON parser in a hurry lets pass: names that stand twice in an object, and NaN."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from headrace.adapters.schema_pydantic.column import Column
from headrace.adapters.schema_pydantic.words import of_request, shorten
from headrace.errors import RowProblem

_NO_NAN = "a number of JSON; null where a value is missing"


class NotStrict(ValueError):
    """The body is JSON only to a lenient reader; `problem` says why."""

    def __init__(self, problem: RowProblem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class StrictReader:
    """Tells whether a body that was read is strict JSON in which no name stands twice.

    Of two equal names a parser keeps the last, so its result cannot tell. But every name and every
    string has two quotes: where the body has as many as what was read, none was dropped. Only where
    the count differs (or a string holds a quote) is the body read once more, slowly.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._kept = {column.name for column in columns}
        words = {column.name: column.kind.word for column in columns}
        self._texts = [name for name, word in words.items() if word in ("string", "time", "date")]
        self._mixed = [name for name, word in words.items() if word == "scalar"]

    def is_strict(self, body: bytes, found: Mapping[str, Any], columns: Mapping[str, list[Any]]) -> bool:
        """Decide about a body that was read as `found`, and became these columns."""
        suspicious = b"NaN" in body or b"Infinity" in body or b'\\"' in body
        if suspicious or body.count(b'"') != 2 * self._count_strings(found, columns):
            try:
                read_strictly(body)
            except NotStrict:
                return False
        return True

    def _count_strings(self, found: Mapping[str, Any], columns: Mapping[str, list[Any]]) -> int:
        """Count names and strings in a request; -1 where an ignored column holds more than plain values."""
        records, whole = found.get("records"), found.get("columns", {})
        mixed = [columns[name] for name in self._mixed]
        if records is not None:
            names = sum(map(len, records))
            if names > len(records) * len(self._kept):
                ignored = set().union(*records) - self._kept
                mixed += [[one.get(name) for one in records] for name in ignored]
        else:
            names = len(whole)
            mixed += [values for name, values in whole.items() if name not in self._kept]
        total = len(found) + names
        for name in self._texts:
            values = columns[name]
            total += len(values) - values.count(None)
        for values in mixed:
            types = list(map(type, values))
            if dict in types or list in types:
                return -1
            total += types.count(str)
        return total


def read_strictly(body: bytes) -> Any:
    """Read JSON as its standard has it. Raises `NotStrict`."""
    try:
        return json.loads(body, object_pairs_hook=_once, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        if isinstance(error, NotStrict):
            raise
        raise NotStrict(of_request(shorten(str(error)), "JSON")) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotStrict(of_request(f"{shorten(repr(twice))} twice in one object", "each name once"))
    return found


def _refuse_constant(word: str) -> NoReturn:
    raise NotStrict(of_request(word, _NO_NAN))
