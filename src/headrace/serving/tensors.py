"""Tensors of the Open Inference Protocol: in JSON, or behind it as bytes; as columns of a model, and back.

The protocol is https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol, its
binary form https://github.com/triton-inference-server/server (extension_binary_data).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeGuard

import numpy as np

from headrace.core.model_signature import InputColumn, ModelSignature
from headrace.core.serving import Columns
from headrace.serving.exchange import Refused

TYPES: Mapping[str, Any] = {
    "BOOL": np.bool_,
    **{f"INT{bits}": np.dtype(f"int{bits}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"float{bits}") for bits in (16, 32, 64)},
    "BYTES": np.object_,
}
OUTPUTS = ("predictions", "probabilities")
_IN_JSON = {"b": (bool,), "i": (int,), "u": (int,), "f": (int, float), "O": (str,)}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named tensor; `values` are flat, an array of its type, or a list where it holds texts or nulls."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Any


def bad(told: str) -> Refused:
    """Return the refusal of a request that is none of this protocol."""
    return Refused(400, told, "bad_request")


def read_tensor(said: Any, binary: bytes, at: int) -> tuple[Tensor, int]:
    """Read one of the inputs, and return where the bytes of the next one begin. Raises `Refused` (400)."""
    if not isinstance(said, dict) or not isinstance(said.get("name"), str):
        raise bad("an input must be an object with name, shape, datatype and data")
    name, datatype, shape = said["name"][:200], said.get("datatype"), said.get("shape")
    if not isinstance(datatype, str) or datatype not in TYPES:
        raise bad(f"input {name!r}: datatype must be one of {', '.join(TYPES)}")
    if not _is_shape(shape):
        raise bad(f"input {name!r}: shape must be a list of one or two counts, as [3] or [3, 1]")
    size = (said.get("parameters") or {}).get("binary_data_size") if _has_parameters(said) else None
    if size is None:
        return Tensor(name, datatype, tuple(shape), _of_json(name, datatype, shape, said.get("data"))), at
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(binary) - at:
        raise bad(f"input {name!r}: binary_data_size is more than the body has")
    values = _of_bytes(name, datatype, shape, binary[at : at + size])
    return Tensor(name, datatype, tuple(shape), values), at + size


def to_columns(tensors: Sequence[Tensor], signature: ModelSignature) -> Columns:
    """Return the tensors as columns: one tensor a column, or one of all columns in the model's order."""
    (first, *others) = tensors
    width = len(signature.inputs)
    if not others and len(first.shape) == 2 and (first.name not in signature.names or first.shape[1] > 1):
        if first.shape[1] != width:
            raise bad(f"input {first.name!r}: a tensor of all columns has the shape [rows, {width}]")
        return {name: first.values[at::width] for at, name in enumerate(signature.names)}
    columns: dict[str, Any] = {}
    for tensor in tensors:
        if len(tensor.shape) == 2 and tensor.shape[1] != 1:
            raise bad(f"input {tensor.name!r}: the tensor of a column has the shape [rows] or [rows, 1]")
        if tensor.name in columns:
            raise bad(f"input {tensor.name!r} is there twice")
        columns[tensor.name] = tensor.values
    rows = {name: len(values) for name, values in columns.items()}
    if len(set(rows.values())) > 1:
        raise bad(f"the inputs differ in rows: {str(rows)[:500]}")
    return columns


def write_tensor(name: str, values: Any, binary: bool) -> tuple[dict[str, Any], bytes]:
    """Return an output as the protocol says it, and its bytes where it is binary."""
    array = np.asarray(values)
    kind = array.dtype.kind
    datatype = "BOOL" if kind == "b" else {"i": "INT", "u": "UINT", "f": "FP"}.get(kind, "BYTES")
    if datatype in ("INT", "UINT", "FP"):
        datatype += str(8 * array.dtype.itemsize)
    said: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(array.shape)}
    if not binary:
        return said | {"data": array.ravel().tolist()}, b""
    if datatype == "BYTES":
        texts = [str(value).encode() for value in array.ravel().tolist()]
        data = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    else:
        data = np.ascontiguousarray(array).tobytes()
    return said | {"parameters": {"binary_data_size": len(data)}}, data


def datatype_of(column: InputColumn) -> str:
    """Return the datatype that a column is sent in: of texts, categories and times, BYTES."""
    try:
        dtype = np.dtype(column.dtype.lower() if column.dtype[:1] in "IUF" else column.dtype)
    except TypeError:
        return "BYTES"
    if dtype.kind == "b":
        return "BOOL"
    word = {"i": "INT", "u": "UINT", "f": "FP"}.get(dtype.kind)
    return f"{word}{8 * dtype.itemsize}" if word else "BYTES"


def _has_parameters(said: Mapping[str, Any]) -> bool:
    return isinstance(said.get("parameters"), dict)


def _is_shape(shape: Any) -> TypeGuard[list[int]]:
    counts = isinstance(shape, list) and 1 <= len(shape) <= 2
    return counts and all(type(one) is int and 0 <= one < 1 << 40 for one in shape)


def _of_json(name: str, datatype: str, shape: Sequence[int], data: Any) -> Any:
    if not isinstance(data, list):
        raise bad(f"input {name!r}: data must be a list")
    if data and isinstance(data[0], list):
        if not all(isinstance(row, list) for row in data):
            raise bad(f"input {name!r}: data must be a flat list, or a list of rows")
        data = [value for row in data for value in row]
    _check_count(name, shape, len(data))
    dtype = np.dtype(TYPES[datatype])
    wanted = _IN_JSON[dtype.kind]
    nulls = 0
    for at, value in enumerate(data):
        if value is None:
            nulls += 1
        elif type(value) not in wanted:
            raise bad(f"input {name!r}: {str(value)[:50]!r} at {at} is no {datatype}")
    if dtype.kind == "O" or nulls:
        return data
    try:
        return np.array(data, dtype=dtype)
    except OverflowError:
        raise bad(f"input {name!r}: a value is too large for {datatype}") from None


def _of_bytes(name: str, datatype: str, shape: Sequence[int], data: bytes) -> Any:
    count = prod(shape)
    if datatype != "BYTES":
        dtype = np.dtype(TYPES[datatype])
        _check_count(name, shape, len(data) // dtype.itemsize)
        if len(data) % dtype.itemsize:
            raise bad(f"input {name!r}: its bytes are no whole number of {datatype}")
        if datatype == "BOOL":
            return np.frombuffer(data, np.uint8) != 0
        return np.frombuffer(data, dtype)
    texts: list[str] = []
    at = 0
    try:
        while at < len(data) and len(texts) <= count:
            length = struct.unpack_from("<I", data, at)[0]
            if at + 4 + length > len(data):
                raise bad(f"input {name!r}: a text is longer than its bytes")
            texts.append(data[at + 4 : at + 4 + length].decode())
            at += 4 + length
    except (struct.error, UnicodeDecodeError):
        raise bad(f"input {name!r}: its bytes are no texts, each with its length before it") from None
    _check_count(name, shape, len(texts))
    return texts


def _check_count(name: str, shape: Sequence[int], count: int) -> None:
    if prod(shape) != count:
        raise bad(f"input {name!r}: the shape {list(shape)} has {prod(shape)} values, and the data {count}")
