"""Plain values as JSON: dicts, lists, text, numbers, truth values and None."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from headrace.errors import StageError

_PLAIN = (dict, list, str, int, float, bool, type(None))
_WANTED: dict[str, tuple[type, ...]] = {
    "": _PLAIN,
    "typing.Any": _PLAIN,
    "object": _PLAIN,
    "dict": (dict,),
    "typing.Mapping": (dict,),
    "collections.abc.Mapping": (dict,),
    "list": (list,),
    "typing.Sequence": (list,),
    "collections.abc.Sequence": (list,),
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
}


class JsonCodec:
    """Stores what JSON can say, in UTF-8, keys in the order they were put in.

    Numpy scalars become Python numbers and tuples become lists. Everything else that would come
    back as something else is refused by its place: keys that are no text, NaN and infinities
    (JSON has none; `None` says that there is no value), arrays, dates.
    """

    name = "json"
    suffix = ".json"

    def accepts(self, value: object) -> bool:
        return type(value) in _PLAIN or isinstance(value, (dict, list)) or _is_numpy_scalar(value)

    def write(self, value: Any, path: Path) -> None:
        plain = _plain(value, "the value")
        path.write_text(json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=1) + "\n", "utf-8")

    def read(self, path: Path, wanted: str) -> Any:
        wanted = wanted.removeprefix("builtins.")
        if wanted == "pathlib.Path":
            return path
        try:
            value: Any = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise StageError(f"{path.name} is no readable JSON file: {error}") from error
        allowed = _WANTED.get(wanted, ())
        truth_for_number = isinstance(value, bool) and wanted in ("int", "float")
        if not isinstance(value, allowed) or truth_for_number:
            raise StageError(
                f"{path.name} holds a {type(value).__name__}, which cannot be given as {wanted}.\n"
                f"      Annotate the argument with {type(value).__name__} or pathlib.Path."
            )
        return float(value) if isinstance(value, int) and wanted == "float" else value


def _is_numpy_scalar(value: object) -> bool:
    return any((cls.__module__, cls.__qualname__) == ("numpy", "generic") for cls in type(value).__mro__)


def _plain(value: Any, where: str) -> Any:
    if _is_numpy_scalar(value):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise StageError(
            f"{where} is {value}, which JSON cannot say.\n      Use None where there is no value."
        )
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise StageError(
                    f"{where} has the key {key!r} of type {type(key).__name__}; JSON keys are text.\n"
                    "      Use str(key), and turn it back where it is read."
                )
        return {str(key): _plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{position}]") for position, item in enumerate(value)]
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise StageError(
        f"{where} is of type {type(value).__module__}.{type(value).__qualname__}, which JSON cannot say.\n"
        "      Arrays: .tolist(), or an output of their own; dates: .isoformat()."
    )
