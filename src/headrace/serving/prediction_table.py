"""Predictions as a table: the columns of the log, in the types of the model's signature."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from headrace.core.model_signature import InputColumn, ModelSignature
from headrace.serving.column_types import arrow_type
from headrace.serving.roles import Prediction

SALT_VARIABLE = "HEADRACE_LOG_SALT"
SALT_FILE = "log-salt"  # below headrace_dir
_ABOUT = (
    ("id", pa.string()),
    ("row", pa.int64()),
    ("time", pa.timestamp("us", "UTC")),
    ("model", pa.string()),
    ("version", pa.int64()),
    ("role", pa.string()),
    ("seconds", pa.float64()),
)
_CANNOT = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, ValueError)


@dataclass(frozen=True, slots=True)
class Slice:
    """Some rows of one answered request: from `start` up to, not including, `stop`."""

    prediction: Prediction
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    source: str  # among the columns of the request
    type: pa.DataType
    hashed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The table of one version's predictions.

    An input whose name is one of the log's own columns is called `input_<name>`.
    """

    signature: ModelSignature
    schema: pa.Schema
    salt: bytes = field(repr=False)
    inputs: tuple[_Column, ...]

    def build(self, slices: Sequence[Slice]) -> pa.RecordBatch:
        """Return the rows in their order. A value that its column cannot hold becomes null."""
        predictions: list[Any] = []
        for part in slices:
            predictions += part.prediction.answers.predictions[part.start : part.stop].tolist()
        arrays = [
            *_about(slices),
            *(self._input(column, slices) for column in self.inputs),
            _array(predictions, self.schema.field("prediction").type),
            *self._probabilities(slices),
        ]
        return pa.record_batch(arrays, schema=self.schema)

    def _input(self, column: _Column, slices: Sequence[Slice]) -> pa.Array:
        values: list[Any] = []
        source = column.source
        for part in slices:
            given = part.prediction.columns.get(source)
            if given is None:
                values += [None] * (part.stop - part.start)
            elif len(given) == part.stop:  # most often a whole request
                values += given[part.start :] if part.start else given
            else:
                values += given[part.start : part.stop]
        if column.hashed:
            # By type too: true and 1 are one key of a dict, and two values.
            kinds = [(type(one), one) for one in values]
            known = {kind: hash_value(self.salt, kind[1]) for kind in set(kinds)}
            values = [known[kind] for kind in kinds]
        return _array(values, column.type)

    def _probabilities(self, slices: Sequence[Slice]) -> list[pa.Array]:
        """Return a column for each class; null in the rows of requests that did not ask."""
        found = []
        for number in range(len(self.signature.classes) if self.signature.probabilities else 0):
            values: list[Any] = []
            for part in slices:
                given = part.prediction.answers.probabilities
                count = part.stop - part.start
                values += [None] * count if given is None else given[part.start : part.stop, number].tolist()
            found.append(_array(values, pa.float64()))
        return found


def make_layout(signature: ModelSignature, salt: bytes, inputs: bool = True) -> Layout:
    """Say which columns the log of a version has; without `inputs` none of the request's."""
    fields = list(_ABOUT)
    answers = [("prediction", arrow_type(signature.dtype))]
    if signature.probabilities:
        answers += [(f"probability_{label}", pa.float64()) for label in signature.classes]
    taken = {name for name, _ in (*fields, *answers)}
    columns = []
    for column in signature.inputs if inputs else ():
        if column.private == "leave_out":
            continue
        kind = _Column(source=column.name, type=_type_of(column), hashed=column.private == "hash")
        columns.append(kind)
        name = column.name
        while name in taken:
            name = f"input_{name}"
        taken.add(name)
        fields.append((name, kind.type))
    return Layout(
        signature=signature, schema=pa.schema([*fields, *answers]), salt=salt, inputs=tuple(columns)
    )


def _type_of(column: InputColumn) -> pa.DataType:
    return pa.string() if column.private == "hash" else arrow_type(column.dtype)


def hash_value(salt: bytes, value: Any) -> str | None:
    """Return a keyed sha256 of a value, so that equal ones stay equal; None of a missing one."""
    if _is_missing(value):
        return None
    return hmac.digest(salt, _text(value).encode("utf-8", "surrogatepass"), "sha256").hex()


def read_salt(root: Path) -> bytes:
    """Return the key of hashes: of the environment, else the project's own, which is made once.

    Whoever has it can try values until one has a given hash: it is for the project's owner only.
    """
    if said := os.environ.get(SALT_VARIABLE):
        return hashlib.sha256(said.encode()).digest()
    file = root / SALT_FILE
    root.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        made = root / f".{SALT_FILE}-{os.urandom(8).hex()}"
        descriptor = os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            target.write(os.urandom(32).hex().encode())
        with suppress(FileExistsError):  # another worker was first: its salt holds
            os.link(made, file)
        made.unlink()
    return file.read_bytes()


def _about(slices: Iterable[Slice]) -> list[pa.Array]:
    """Return the columns that say whose rows these are: one pass, as this is done for every request."""
    values: tuple[list[Any], ...] = tuple([] for _ in _ABOUT)
    ids, rows, times, models, versions, roles, seconds = values
    for part in slices:
        one, count = part.prediction, part.stop - part.start
        ids += [one.id] * count
        rows += range(part.start, part.stop)
        times += [int(one.time * 1e6)] * count
        models += [one.model] * count
        versions += [one.version] * count
        roles += [one.role] * count
        seconds += [one.seconds] * count
    return [_array(found, kind) for found, (_, kind) in zip(values, _ABOUT, strict=True)]


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, type=kind, from_pandas=True)
    except _CANNOT:
        pass
    if kind == pa.string():
        return pa.array([None if _is_missing(value) else _text(value) for value in values], type=kind)
    return pa.concat_arrays([_single(value, kind) for value in values])


def _single(value: Any, kind: pa.DataType) -> pa.Array:
    try:
        return pa.array([value], type=kind, from_pandas=True)
    except _CANNOT:
        return pa.nulls(1, kind)


def _is_missing(value: Any) -> bool:
    return value is None or bool(value != value)


def _text(value: Any) -> str:
    """Return a value as text; equal numbers are the same text, whatever their type."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)
