"""Packages as a directory: nothing in it executes on load, and every file is held to its digest."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from headrace.core.digest import digest_file
from headrace.core.model_signature import ModelSignature
from headrace.core.package import Package
from headrace.core.ports import Codec
from headrace.errors import PackageRefused, StageError

FORMAT = 1
MANIFEST = "package.json"
ESTIMATOR = "estimator"
PROFILE = "profile.json"
ONNX = "model.onnx"
_OWN = ("", "headrace.core.package.Package")
_VERSIONS = ("numpy", "pandas", "scikit-learn")


class PackageCodec:
    """Stores a `Package`: `package.json`, the estimator by its own codec, `profile.json`, `model.onnx`.

    `package.json` holds the signature, an example with the answer to it, the versions that it was made
    with, and the sha256 of every other file. Reading gives the package, its estimator, or its path,
    whatever is wanted; a file that is not the one that was written is refused by its name.
    """

    name = "package"
    suffix = ""

    def __init__(self, estimators: Codec) -> None:
        self._estimators = estimators

    def accepts(self, value: object) -> bool:
        return isinstance(value, Package)

    def write(self, value: Package, path: Path) -> None:
        path.mkdir()
        self._estimators.write(value.estimator, path / ESTIMATOR)
        _write_json(path / PROFILE, value.profile)
        if value.onnx is not None:
            (path / ONNX).write_bytes(value.onnx)
        manifest = {
            "format": FORMAT,
            "signature": value.signature.to_json(),
            "example": value.example,
            "expected": value.expected,
            "onnx": value.onnx_told,
            "versions": _versions(),
            "files": {name: digest_file(path / name) for name in _files(path)},
        }
        _write_json(path / MANIFEST, manifest)

    def read(self, path: Path, wanted: str) -> Any:
        if wanted == "pathlib.Path":
            return path
        if wanted in _OWN:
            package = read_without_estimator(path)
            return replace(package, estimator=self._estimators.read(path / ESTIMATOR, ""))
        check_package(path)
        return self._estimators.read(path / ESTIMATOR, wanted)


def read_without_estimator(path: Path) -> Package:
    """Read everything of a package but its estimator, which is None then: scikit-learn is not imported."""
    manifest = check_package(path)
    return Package(
        estimator=None,
        signature=ModelSignature.from_json(manifest["signature"]),
        example=manifest["example"],
        expected=manifest["expected"],
        profile=json.loads((path / PROFILE).read_bytes()),
        onnx=(path / ONNX).read_bytes() if ONNX in manifest["files"] else None,
        onnx_told=manifest["onnx"],
        versions=manifest["versions"],
    )


def check_package(path: Path) -> dict[str, Any]:
    """Return what `package.json` says once every file is the one that it names.

    Raises `PackageRefused` naming the file.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise PackageRefused(f"{path} is no package: {MANIFEST}: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise PackageRefused(
            f"{path / MANIFEST} has the format {found!r}, and this headrace reads {FORMAT}: "
            "read it with the one that wrote it, or train again"
        )
    check_files(path, MANIFEST, manifest["files"])
    return manifest


def check_files(path: Path, source: str, digests: Mapping[str, str]) -> None:
    """Raise `PackageRefused` for the first file below a folder that is not the one that `source` names."""
    for name, digest in digests.items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise PackageRefused(f"{source} names {name}, which lies outside of the package")
        file = path / name
        if not file.is_file():
            raise PackageRefused(f"{file} is missing from the package")
        if digest_file(file) != digest:
            raise PackageRefused(f"{file} is not the file that was published: its digest is another one")


def _files(path: Path) -> list[str]:
    return sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())


def _versions() -> dict[str, str]:
    python = platform.python_version()
    return {"python": python, **{name: metadata.version(name) for name in _VERSIONS}}


def _write_json(file: Path, value: Any) -> None:
    try:
        text = json.dumps(value, indent=1, sort_keys=False, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StageError(f"{file.name} cannot be written: {error}") from error
    file.write_text(text + "\n", "utf-8")
