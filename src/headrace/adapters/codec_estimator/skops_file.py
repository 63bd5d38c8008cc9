"""skops files with the same bytes for the same estimator, read against a fixed list of types."""

from __future__ import annotations

import io
import json
import logging
import sys
import types
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from headrace.adapters.codec_estimator.trees import check_trees, clean_nodes
from headrace.errors import StageError

log = logging.getLogger(__name__)

_SCHEMA = "schema.json"
# Nodes of values that nobody can tell apart from their equals. Whether two of them are one object
# depends on interning and on unpickling, so their identity must not reach the bytes.
_VALUES = {"JsonNode", "TypeNode", "TupleNode", "DTypeNode", "FunctionNode", "SliceNode", "OperatorFuncNode"}


def dump(estimator: Any, trusted: Sequence[str]) -> bytes:
    """Return the bytes of a skops file. Raises `StageError` for a type that `load` would refuse."""
    io_ = _skops()
    try:
        data = io_.dumps(estimator)
    except TypeError as error:  # skops' own exception for unsupported types is one as well
        raise StageError(
            f"{type(estimator).__qualname__} cannot be stored: {error}\n"
            "      Use named functions and classes of installed modules for its params, no lambdas."
        ) from error
    _refuse_untrusted(io_.get_untrusted_types(data=data), trusted, type(estimator).__qualname__)
    return _normalise(data)


def load(file: Path, trusted: Sequence[str], written_with: Mapping[str, str]) -> Any:
    """Read a skops file. Nothing is built before every type in it is found on the fixed list."""
    io_ = _skops()
    data = file.read_bytes()
    try:
        found = io_.get_untrusted_types(data=data)
        _refuse_untrusted(found, trusted, file.name)
        _warn_of_versions(written_with, file)
        # All of `found` is on the fixed list by now. skops copies what it is given at each of its
        # nodes, so the few types that occur are handed over instead of the hundreds allowed.
        estimator = io_.loads(data, trusted=found)
    except (BadZipFile, KeyError, ValueError, TypeError, ImportError, AttributeError) as error:
        raise StageError(
            f"{file} cannot be read as a skops file: {type(error).__name__}: {error}\n"
            f"      It was written with {_say(written_with)}; this is {_say(versions())}."
        ) from error
    check_trees(estimator, file)
    return estimator


@cache
def versions(torch: bool = False) -> dict[str, str]:
    """Return the versions of the libraries that a stored estimator depends on."""
    names = ["numpy", "scikit-learn", "skops"] + (["torch", "safetensors"] if torch else [])
    return {name: metadata.version(name) for name in names}


@cache
def _trusted_types() -> tuple[str, ...]:
    text = Path(__file__).with_name("trusted_types.txt").read_text("utf-8")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def _skops() -> Any:
    """Import skops.io without its own lists of trusted types; ours takes their place.

    To fill those lists skops imports every module of scikit-learn (with torch and pytest, where
    they are installed) and looks for each ufunc in every loaded module: 1 to 4 seconds that no
    reader of one model needs. Where the program had imported skops before, its lists stay and are
    trusted too: the public estimators of the installed scikit-learn.
    """
    lists = "skops.io._trusted_types"
    if "skops.io" not in sys.modules and lists not in sys.modules:
        empty = types.ModuleType(lists, "Replaced by headrace: see headrace.adapters.codec_estimator.")

        def no_names(name: str) -> list[str]:
            if name.endswith("_NAMES"):
                return []
            raise AttributeError(name)

        empty.__getattr__ = no_names  # type: ignore[method-assign]
        sys.modules[lists] = empty
    import skops.io

    return skops.io


def _refuse_untrusted(found: Sequence[str], trusted: Sequence[str], where: str) -> None:
    unknown = sorted(set(found) - set(_trusted_types()) - set(trusted))
    if unknown:
        raise StageError(
            f"{where} contains types that are not restored from a lake: {', '.join(unknown[:20])}.\n"
            "      Use an estimator of scikit-learn (neighbours: algorithm='brute'), or review what\n"
            "      restoring these types does and name them in EstimatorCodec(trusted=[...])."
        )


def _normalise(data: bytes) -> bytes:
    """Write the zip again with fixed dates, and with names and ids numbered by first appearance."""
    with ZipFile(io.BytesIO(data)) as source:
        schema = json.loads(source.read(_SCHEMA))
        files = _number(schema)
        target = io.BytesIO()
        with ZipFile(target, "w") as out:
            text = json.dumps(schema, separators=(",", ":"))
            out.writestr(ZipInfo(_SCHEMA), text)
            for old, new in files.items():
                out.writestr(ZipInfo(new), clean_nodes(source.read(old)))
    return target.getvalue()


def _number(schema: Any) -> dict[str, str]:
    """Renumber a schema in place; return the new name of each file by its old one."""
    nodes: list[dict[str, Any]] = []
    _collect(schema, nodes)
    shared = Counter(node.get("__id__") for node in nodes if node["__loader__"] not in _VALUES)
    ids: dict[int, int] = {}
    files: dict[str, str] = {}
    for node in nodes:
        found = node.pop("__id__", None)
        if found is not None and node["__loader__"] not in _VALUES and shared[found] > 1:
            node["__id__"] = ids.setdefault(found, len(ids) + 1)
        if isinstance(node.get("file"), str):
            old = node["file"]
            node["file"] = files.setdefault(old, f"{len(files) + 1}{Path(old).suffix}")
        if node["__loader__"] == "SetNode":  # the order of a set differs from process to process
            node["content"].sort(key=lambda item: json.dumps(item, sort_keys=True))
    return files


def _collect(item: Any, nodes: list[dict[str, Any]]) -> None:
    if isinstance(item, dict):
        if isinstance(item.get("__loader__"), str):
            nodes.append(item)
        children: Any = item.values()
    elif isinstance(item, list):
        children = item
    else:
        return
    for child in children:
        _collect(child, nodes)


def _warn_of_versions(written_with: Mapping[str, str], file: Path) -> None:
    here = versions()
    name = "scikit-learn"
    then = str(written_with.get(name, here[name]))
    if then.split(".")[:2] != here[name].split(".")[:2]:
        log.warning(
            "%s was written with %s %s and is read with %s: predictions may differ. Train again.",
            file.parent.name, name, then, here[name],
        )  # fmt: skip


def _say(found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items())) or "unknown versions"
