"""The codec: a directory with a manifest that says how the estimator is put together again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headrace.adapters.codec_estimator import skops_file, threshold, weights
from headrace.errors import StageError

FORMAT = 1
MANIFEST = "manifest.json"
SKOPS = "estimator.skops"
INNER = "estimator"
_ANY = ("", "object", "typing.Any", "builtins.object")
_ROLES = ("Estimator", "Classifier", "Regressor", "Transformer", "Predictor")


class EstimatorCodec:
    """Stores a fitted estimator as a directory, and reads it without executing anything from it.

    `manifest.json` has the `kind`, the class, the versions it was written with and the sha256 of
    each file beside it. The kinds:

    - `skops`: a scikit-learn estimator in `estimator.skops`.
    - `weights`: an estimator with `stored_as_weights = True`: params and texts in the manifest,
      arrays in `weights.safetensors`. Its class offers `get_params()`, `export_state()` and
      `restore(params, state)`.
    - `steps`: a scikit-learn Pipeline that contains such an estimator; each step has a directory.
    - `threshold`: a FixedThresholdClassifier around such an estimator, which has a directory; what
      decides is in the manifest.

    Two fits with equal results give equal bytes, also from different processes.

    Args:
        trusted: qualified names of further types that skops may restore, after a review of what
            restoring them does.
        importable: prefixes of modules, beside `headrace.models.`, from which the class of a
            `weights` estimator may be imported. Importing runs the module: list only your own.
    """

    name = "estimator"
    suffix = ""

    def __init__(self, *, trusted: Sequence[str] = (), importable: Sequence[str] = ()) -> None:
        self._trusted = tuple(trusted)
        self._importable = ("headrace.models.", *importable)

    def accepts(self, value: object) -> bool:
        methods = ("predict", "transform", "get_params")
        return (
            not isinstance(value, type)
            and callable(getattr(value, "fit", None))
            and any(callable(getattr(value, method, None)) for method in methods)
        )

    def write(self, value: Any, path: Path) -> None:
        path.mkdir()
        body = self._write_body(value, path)
        manifest = {
            "format": FORMAT,
            "class": _qualified_name(type(value)),
            "versions": skops_file.versions(torch=body["kind"] == "weights"),
            "files": {file.name: _sha256(file) for file in sorted(path.iterdir()) if file.is_file()},
            **body,
        }
        text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        (path / MANIFEST).write_text(text + "\n", "utf-8")

    def read(self, path: Path, wanted: str) -> Any:
        if wanted == "pathlib.Path":
            return path
        manifest = _read_manifest(path)
        estimator = self._read_body(manifest, path)
        _check_wanted(estimator, wanted, path)
        return estimator

    def _write_body(self, value: Any, path: Path) -> dict[str, Any]:
        if getattr(type(value), "stored_as_weights", False):
            weights.check_class(_qualified_name(type(value)), self._importable)
            return {"kind": "weights", **weights.write(value, path)}
        if _is_pipeline(value) and any(_holds_weights(step) for _, step in value.steps):
            return {"kind": "steps", **self._write_steps(value, path)}
        if _is_threshold(value) and _holds_weights(value):
            self.write(value.estimator_, path / INNER)
            return {"kind": "threshold", **threshold.describe(value)}
        data = skops_file.dump(value, self._trusted)
        (path / SKOPS).write_bytes(data)
        return {"kind": "skops"}

    def _write_steps(self, pipeline: Any, path: Path) -> dict[str, Any]:
        steps: list[dict[str, Any]] = []
        for position, (name, step) in enumerate(pipeline.steps):
            if step is None or isinstance(step, str):
                steps.append({"name": name, "passthrough": True})
                continue
            folder = f"step-{position}"
            self.write(step, path / folder)
            steps.append({"name": name, "folder": folder})
        return {"steps": steps, "verbose": bool(pipeline.verbose)}

    def _read_body(self, manifest: dict[str, Any], path: Path) -> Any:
        kind = manifest.get("kind")
        if kind == "skops":
            return skops_file.load(path / SKOPS, self._trusted, manifest.get("versions", {}))
        if kind == "weights":
            return weights.read(manifest, path, self._importable)
        if kind == "steps":
            return self._read_steps(manifest, path)
        if kind == "threshold":
            return threshold.wrap(self.read(path / INNER, ""), manifest)
        known = "skops, weights, steps, threshold"
        raise StageError(f"{path / MANIFEST} has the kind {kind!r}; known are {known}.")

    def _read_steps(self, manifest: dict[str, Any], path: Path) -> Any:
        from sklearn.pipeline import Pipeline

        steps: list[list[Any]] = []
        for position, step in enumerate(manifest["steps"]):
            # The folder's name is ours, not the manifest's: nothing outside `path` can be reached.
            built = "passthrough" if step.get("passthrough") else self.read(path / f"step-{position}", "")
            steps.append([step["name"], built])
        return Pipeline(steps, verbose=bool(manifest.get("verbose", False)))


def _is_pipeline(value: object) -> bool:
    return any(_qualified_name(cls) == "sklearn.pipeline.Pipeline" for cls in type(value).__mro__)


def _is_threshold(value: object) -> bool:
    return _qualified_name(type(value)) == threshold.CLASS


def _holds_weights(value: Any) -> bool:
    if getattr(type(value), "stored_as_weights", False):
        return True
    if _is_threshold(value):
        return _holds_weights(getattr(value, "estimator_", None))
    return _is_pipeline(value) and any(_holds_weights(step) for _, step in value.steps)


def _qualified_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise StageError(f"{path} is no stored estimator: {MANIFEST}: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise StageError(
            f"{path / MANIFEST} has the format {found!r}; this headrace reads format {FORMAT}.\n"
            "      Read it with the headrace that wrote it, or train again."
        )
    for name, digest in manifest["files"].items():
        file = path / Path(name).name
        if not file.is_file() or _sha256(file) != digest:
            raise StageError(f"{file} is not the file that {MANIFEST} was written with ({digest}).")
    return manifest


def _check_wanted(estimator: Any, wanted: str, path: Path) -> None:
    """Refuse a type that the estimator is not; a public name stands for the private one it hides.

    A protocol of the caller's own cannot be looked up without an import, so a name that ends in a
    role (`...Estimator`, `...Classifier`) is taken at its word.
    """
    package, _, name = wanted.partition(".")[0], "", wanted.rpartition(".")[2]
    names = {(cls.__module__.partition(".")[0], cls.__qualname__) for cls in type(estimator).__mro__}
    role = name.endswith(_ROLES) and not wanted.startswith("sklearn.")
    if wanted in _ANY or role or (package, name) in names:
        return
    raise StageError(
        f"{path.name} holds a {_qualified_name(type(estimator))}, which cannot be given as {wanted}.\n"
        "      Annotate the argument with sklearn.base.BaseEstimator, its class, or pathlib.Path."
    )
