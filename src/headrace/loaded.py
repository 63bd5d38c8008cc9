"""Published models, loaded: by name from the lake, or from a folder that was copied out of it.

    python -m headrace.loaded FOLDER ROWS

reads a package in a process that has seen nothing else, and answers a Parquet file of raw rows: it prints
`loaded`, and then the predictions as one line of JSON.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from headrace.adapters.codec_estimator import EstimatorCodec
from headrace.adapters.codec_package import (
    MANIFEST,
    PackageCodec,
    check_files,
    check_package,
    read_without_estimator,
)
from headrace.core.artifact import lake_uri
from headrace.core.digest import digest_file, digest_listing
from headrace.core.package import CARD, LINEAGE, VERSION, Package
from headrace.core.ports import MAIN, LakeReader
from headrace.core.serving import ENGINES, Answers
from headrace.errors import ModelNotFound, PackageRefused, StageError, did_you_mean
from headrace.execute import lay_out
from headrace.registry import find_aliased, find_numbered, read_registry

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Rows = pd.DataFrame | Sequence[Mapping[str, Any]]

ALIAS = "production"
_BESIDE = (VERSION, CARD, LINEAGE)
_REF = re.compile(r"(?P<name>[^@/]+)(?:@(?P<alias>[^@/]+)|/(?P<version>[0-9]+))?")


class Model:
    """A published model that answers raw rows. Safe to use from several threads.

    Attributes:
        name, version: Which one it is; of a folder without `version.json`, '' and 0.
        digest: sha256 of the package, as the registry knows it.
        signature: The columns that it takes and the answers that it gives.
        example, expected: One row, and what the model said of it when it was made.
        card: The model card, as Markdown; '' where there is none.
        lineage: The run that made it: its data, code, packages and figures.
        profile: The columns of the training rows (see `headrace.stages.profile`).
        versions: Of Python and the libraries that it was made with.
    """

    def __init__(
        self,
        package: Package,
        *,
        name: str,
        version: int,
        digest: str,
        beside: Mapping[str, str],
        engine: str,
    ) -> None:
        self.name, self.version, self.digest = name, version, digest
        self.signature = package.signature
        self.example, self.expected = package.example, package.expected
        self.profile, self.versions = package.profile, package.versions
        self.card = beside.get(CARD, "")
        self.lineage: dict[str, Any] = json.loads(beside.get(LINEAGE, "{}"))
        self.engine = engine
        self.estimator = package.estimator  # None with the engine onnx
        self._package = package
        self._onnx = _open_onnx(package, name, version) if engine == "onnx" else None

    @property
    def takes_columns(self) -> bool:
        """Tell whether `answer` takes values by column too, and needs no DataFrame."""
        return self._onnx is not None

    def answer(self, rows: Any, probabilities: bool = False) -> Answers:
        """Answer a DataFrame of raw rows, or where `takes_columns`, values by column. Nothing is checked."""
        if self._onnx is not None:
            answers: Answers = self._onnx.answer(rows, probabilities)
            return answers
        return self._package.answer(rows, probabilities)

    def hasten(self, rows: Any) -> None:
        """Answer with less work for each call from now on, where that changes no answer but by rounding.

        `rows` are some raw rows, a DataFrame, on which that is tried. `estimator` stays what it is.
        """
        from headrace.adapters.lean_pipeline import make_lean

        if self._onnx is None:
            self._package = replace(self._package, estimator=make_lean(self.estimator, rows))

    def predict(self, rows: Rows) -> np.ndarray:
        """Return a prediction for each of n raw rows, shape (n,): a DataFrame, or a list of mappings.

        Raises `RowsRejected` where the rows of a list do not meet the signature.
        """
        return self.answer(self._prepare(rows)).predictions  # type: ignore[no-any-return]

    def predict_proba(self, rows: Rows) -> np.ndarray:
        """Return the probability of each class, shape (n, n_classes), in the order of `signature.classes`.

        Raises `StageError` where the model gives none, and what `predict` raises.
        """
        if not self.signature.probabilities:
            raise StageError(f"{self.name} gives no probabilities")
        return self.answer(self._prepare(rows), probabilities=True).probabilities  # type: ignore[no-any-return]

    def _prepare(self, rows: Any) -> Any:
        import pandas as pd

        if isinstance(rows, pd.DataFrame):
            return rows
        from headrace.adapters.schema_pydantic import PydanticRows

        schema = PydanticRows(self.signature)
        records = [{name: _as_json(value) for name, value in row.items()} for row in rows]
        request = schema.parse_json(json.dumps({"records": records}, default=str).encode())
        return request.columns if self.takes_columns else schema.to_frame(request.columns)

    def __repr__(self) -> str:
        return (
            f"<Model {self.name}/{self.version}, {self.signature.task}, {len(self.signature.inputs)} columns>"
        )


def _as_json(value: Any) -> Any:
    """Return a value of a table as JSON says it: numpy's numbers as numbers, times in ISO 8601, no NaN."""
    from headrace.adapters.schema_pydantic.column import is_missing

    if hasattr(value, "dtype") and hasattr(value, "item"):
        value = value.item()
    if is_missing(value, "table"):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def load_model(
    model: str | Path,
    *,
    overrides: Sequence[str] = (),
    engine: str = "native",
    lake: LakeReader | None = None,
) -> Model:
    """Load a published model: `flights@production`, `flights/3`, `flights` (production), or a folder.

    Args:
        model: Its name with an alias or a version; or the folder of a version, copied from anywhere.
        overrides: Of the project's lake, as on a command line: `lake=lakefs`, `lake.repository=demo`.
        engine: `native`, or `onnx` where the package has it.
        lake: A lake that is open already; the project's otherwise.

    Raises:
        ModelNotFound: The lake has no such model, version or alias.
        PackageRefused: A file is not the one that was published, or holds a type that is not restored.
    """
    if isinstance(model, Path) or "\\" in model or Path(model).is_dir():
        return load_folder(Path(model), engine=engine)
    name, alias, version = parse_model(model)
    if lake is None:
        from headrace.project import open_lake

        lake = open_lake(overrides)
    return load_version(lake, name, alias=alias, version=version, engine=engine)


def parse_model(model: str) -> tuple[str, str, int | None]:
    """Return name, alias ('' where there is a version) and version. Raises `ModelNotFound`."""
    found = _REF.fullmatch(model)
    if found is None:
        raise ModelNotFound(f"'{model}' names no model; write NAME@ALIAS, NAME/VERSION, or a folder")
    version = found["version"]
    return found["name"], "" if version else found["alias"] or ALIAS, int(version) if version else None


def name_whole(model: str) -> str:
    """Return the name with its alias or version, also where it says neither. Raises `ModelNotFound`."""
    name, alias, version = parse_model(model)
    return f"{name}@{alias}" if version is None else f"{name}/{version}"


def load_version(
    lake: LakeReader,
    name: str,
    *,
    alias: str = "",
    version: int | None = None,
    commit: str | None = None,
    engine: str = "native",
) -> Model:
    """Load a version of a model, the one that an alias names where no version is given.

    `commit` is the state of the lake that is read; None is the head of `main`.
    """
    at = commit or lake.resolve(MAIN)
    registry = read_registry(lake, at, name)
    entry = find_aliased(registry, alias or ALIAS) if version is None else find_numbered(registry, version)
    if entry["codec"] != PackageCodec.name:
        raise PackageRefused(
            f"{name} version {entry['version']} is stored as '{entry['codec']}', by an older headrace or a "
            "pipeline of one's own; train it again with stages/package=model"
        )
    with TemporaryDirectory(prefix="headrace-") as folder:
        path = f"models/{name}/{entry['version']}"
        root, digests = lay_out(lake, at, path, Path(folder))
        digest = digest_listing((file, one) for file, one in digests.items() if file not in _BESIDE)
        if digest != entry["digest"]:
            raise PackageRefused(
                f"{lake_uri(at, path)} is not what was published as {name} {entry['version']}"
            )
        return _read(root, name=name, version=int(entry["version"]), digest=digest, engine=engine)


def load_folder(folder: Path, *, engine: str = "native") -> Model:
    """Load a version from its folder: files copied from a lake, or a package that a stage wrote."""
    about: dict[str, Any] = {}
    if (folder / VERSION).is_file():
        about = _check_version(folder)
    name, version = str(about.get("model", "")), int(about.get("version", 0))
    digest = str(about.get("digest", "")) or _digest_of(folder)
    return _read(folder, name=name, version=version, digest=digest, engine=engine)


def _read(folder: Path, *, name: str, version: int, digest: str, engine: str) -> Model:
    if engine not in ENGINES:
        raise StageError(f"there is no engine '{engine}'; {did_you_mean(engine, ENGINES, 'engine={}')}")
    if engine == "onnx":
        package = read_without_estimator(folder)
    else:
        try:
            package = PackageCodec(EstimatorCodec()).read(folder, "")
        except StageError as error:
            raise PackageRefused(str(error)) from error
    beside = {
        file: (folder / file).read_text("utf-8") for file in (CARD, LINEAGE) if (folder / file).is_file()
    }
    return Model(package, name=name, version=version, digest=digest, beside=beside, engine=engine)


def _check_version(folder: Path) -> dict[str, Any]:
    """Return `version.json` once the files that stand beside the package are those that it names."""
    try:
        about = json.loads((folder / VERSION).read_text("utf-8"))
    except ValueError as error:
        raise PackageRefused(f"{folder / VERSION} cannot be read: {error}") from error
    if not isinstance(about, dict) or not {"model", "version", "digest", "files"} <= about.keys():
        raise PackageRefused(f"{folder / VERSION} says of no version")
    check_files(folder, VERSION, about["files"])
    return about


def _digest_of(folder: Path) -> str:
    """Return the digest of a package as its registry would know it."""
    files = check_package(folder)["files"]
    return digest_listing([*files.items(), (MANIFEST, digest_file(folder / MANIFEST))])


def _open_onnx(package: Package, name: str, version: int) -> Any:
    if package.onnx is None:
        why = package.onnx_told or "nobody asked for it: train with stages/package=onnx"
        raise StageError(f"{name} version {version} has no ONNX: {why}")
    from headrace.adapters.model_onnx import OnnxModel

    return OnnxModel(package.onnx, package.signature)


def main(folder: str, rows: str) -> None:
    """Answer the rows of a file."""
    import pandas as pd

    model = load_folder(Path(folder))
    sys.stdout.write("loaded\n")
    sys.stdout.write(json.dumps(model.predict(pd.read_parquet(rows)).tolist()) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
