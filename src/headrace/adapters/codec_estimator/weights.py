"""Estimators that are params and arrays: no object of theirs is stored, so none is restored."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headrace.errors import StageError

WEIGHTS = "weights.safetensors"


def write(value: Any, path: Path) -> dict[str, Any]:
    """Write the arrays and return the manifest's part: `params` and `texts`.

    Arrays of text (the names of classes) are no tensors: they go into the manifest.
    """
    import numpy as np
    from safetensors.numpy import save_file

    arrays: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    for name, array in sorted(value.export_state().items()):
        array = np.asarray(array)
        if array.dtype.kind in "biuf":
            arrays[name] = np.ascontiguousarray(array) if array.ndim else array
        elif array.dtype.kind in "UOT" and all(isinstance(item, str) for item in array.ravel().tolist()):
            texts[name] = {"dtype": _text_dtype(array), "values": array.tolist()}
        else:
            raise StageError(
                f"{type(value).__qualname__}.export_state()[{name!r}] has dtype {array.dtype}.\n"
                "      It must give arrays of numbers, truth values or text."
            )
    save_file(arrays, path / WEIGHTS)
    return {"params": _params(value), "texts": texts}


def read(manifest: dict[str, Any], path: Path, importable: Sequence[str]) -> Any:
    """Build the estimator from its class, its params and its arrays."""
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    cls = _import_class(manifest["class"], importable)
    try:
        state: dict[str, Any] = dict(load_file(path / WEIGHTS))
    except SafetensorError as error:
        raise StageError(f"{path / WEIGHTS} is no readable safetensors file: {error}") from error
    for name, text in manifest["texts"].items():
        state[name] = np.array(text["values"], dtype=object if text["dtype"] == "object" else str)
    return cls.restore(manifest["params"], state)


def check_class(qualified: str, importable: Sequence[str]) -> None:
    """Refuse a class that reading would not import. Raises `StageError` naming where it may live."""
    plain = re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", qualified)
    if not plain or not qualified.startswith(tuple(importable)):
        places = ", ".join(importable)
        raise StageError(
            f"the estimator's class is {qualified}, which is not under {places}.\n"
            "      Move the class there, or give its module to EstimatorCodec(importable=[...])."
        )


def _import_class(qualified: str, importable: Sequence[str]) -> Any:
    check_class(qualified, importable)
    module, _, name = qualified.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise StageError(
            f"the estimator's class {qualified} is not there: {error}\n"
            "      Install the package it came from, or train again."
        ) from error
    # A module also holds what it imports: only a class made for this may be called.
    if not (isinstance(cls, type) and cls.__module__ == module and getattr(cls, "stored_as_weights", False)):
        raise StageError(f"{qualified} is no estimator class with stored_as_weights = True.")
    return cls


def _text_dtype(array: Any) -> str:
    return "object" if array.dtype.kind == "O" else "str"


def _params(value: Any) -> dict[str, Any]:
    params = value.get_params(deep=False)
    for name, param in params.items():
        try:
            json.dumps(param, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise StageError(
                f"{type(value).__qualname__}: the param {name} is {param!r}, which JSON cannot say: {error}\n"
                "      Use numbers, text, lists, dicts or None for the params of a stored model."
            ) from error
    return dict(params)
