"""How far apart two artifacts of several files are: estimators, and folders."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from headrace.core.artifact import Artifact
from headrace.core.ports import LakeReader, ObjectInfo
from headrace.reproduce.distance import (
    Distance,
    between_arrays,
    between_files_of_arrays,
    between_json,
    between_tables,
    between_values,
    endless,
    farthest,
)

FOLLOWS = ("files", "versions")  # digests of what is compared itself, and packages, told by the record


def between_folders(lake: LakeReader, before: Artifact, now: Artifact) -> Distance:
    """Compare two artifacts file by file; numbers in arrays, tables, JSON and models are measured."""
    files = [_files(lake, artifact) for artifact in (before, now)]
    if files[0].keys() != files[1].keys():
        other = sorted(files[0].keys() ^ files[1].keys())
        return endless(f"files {', '.join(other[:3])} are not in both")
    return farthest(_named(name, _between(files[0][name], files[1][name])) for name in files[0])


def _files(lake: LakeReader, artifact: Artifact) -> dict[str, Path]:
    prefix = f"{artifact.path}/"
    found = [info for info in lake.list(artifact.commit, prefix=prefix) if isinstance(info, ObjectInfo)]
    paths = lake.local_paths(artifact.commit, found)
    return {info.path.removeprefix(prefix): path for info, path in zip(found, paths, strict=True)}


def _between(before: Path, now: Path) -> Distance:
    if before.read_bytes() == now.read_bytes():
        return Distance()
    kind = _kind(before)
    try:
        return _BY_KIND[kind](before, now) if kind else endless("other bytes")
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        return endless(f"cannot be compared: {error}")


def _kind(file: Path) -> str:
    """Tell by its first bytes what a file is: in a lake it has no suffix."""
    with file.open("rb") as stream:
        head = stream.read(16)
    if head[:4] == b"PK\x03\x04":
        return "zip"
    if head[:6] == b"\x93NUMPY":
        return "npy"
    if head[:4] == b"PAR1":
        return "parquet"
    if head[8:9] == b"{":  # eight bytes of length, then a header in JSON
        return "safetensors"
    return "json" if head[:1] in (b"{", b"[") else ""


def _between_documents(before: Path, now: Path) -> Distance:
    """Compare two JSON files; of an estimator's manifest only what is not told elsewhere."""
    documents = [json.loads(file.read_bytes()) for file in (before, now)]
    if all(isinstance(document, dict) and "kind" in document for document in documents):
        documents = [{k: v for k, v in document.items() if k not in FOLLOWS} for document in documents]
        return between_values(*documents)
    return between_json(before, now)


def _between_archives(before: Path, now: Path) -> Distance:
    """Compare two skops files: parameters in `schema.json`, fitted arrays beside it."""
    with zipfile.ZipFile(before) as old, zipfile.ZipFile(now) as new:
        names = sorted(old.namelist())
        if names != sorted(new.namelist()):
            return endless("other parts")
        return farthest(_named(name, _between_parts(old.read(name), new.read(name))) for name in names)


def _between_parts(before: bytes, now: bytes) -> Distance:
    import numpy as np

    if before == now:
        return Distance()
    if before[:6] == b"\x93NUMPY":
        arrays = [np.load(io.BytesIO(data), allow_pickle=False) for data in (before, now)]
        return between_arrays(arrays[0], arrays[1], "")
    return between_values(*(_unpacked(json.loads(data)) for data in (before, now)))


def _unpacked(node: Any) -> Any:
    """Return a schema of skops without versions, and with numbers in place of the texts that hold them."""
    if isinstance(node, Mapping):
        inner = {key: _unpacked(value) for key, value in node.items() if key != "_skops_version"}
        if node.get("__loader__") == "JsonNode" and isinstance(node.get("content"), str):
            inner["content"] = json.loads(node["content"])
        return inner
    return [_unpacked(value) for value in node] if isinstance(node, list) else node


def _between_weights(before: Path, now: Path) -> Distance:
    from safetensors.numpy import load_file

    old, new = load_file(before), load_file(now)
    if old.keys() != new.keys():
        return endless("other weights")
    return farthest(between_arrays(old[name], new[name], name) for name in sorted(old))


def _named(name: str, distance: Distance) -> Distance:
    inner = f"{name}: {distance.where}" if distance.where else name
    return Distance(
        scaled=distance.scaled, absolute=distance.absolute, where=inner if distance.scaled else ""
    )


_BY_KIND: Mapping[str, Callable[[Path, Path], Distance]] = {
    "zip": _between_archives,
    "npy": between_files_of_arrays,
    "parquet": between_tables,
    "safetensors": _between_weights,
    "json": _between_documents,
}
