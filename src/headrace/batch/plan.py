"""A batch before it runs: which version scores which bytes, and what of that is there already."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import headrace
from headrace.adapters.cache_files import FileStageCache
from headrace.adapters.source_files import Source, Sources
from headrace.adapters.source_models import SourceModels
from headrace.adapters.stat_cache import StatCache
from headrace.batch.target import FileTarget, LakeTarget, Target
from headrace.config.predict import SUFFIXES, PredictNode, suffix_of
from headrace.core.digest import digest_file, digest_value
from headrace.core.ports import LakeStore
from headrace.errors import ConfigError, SourceNotFound
from headrace.loaded import Model, load_folder, load_version, parse_model
from headrace.registry import find_aliased, find_numbered, read_current

FORMAT = 1
LAKE = "lake:"
_SCHEMES = (LAKE, "package:", "file:")
_PACKAGES = ("numpy", "pandas", "pyarrow", "scikit-learn", "onnxruntime", "torch")
_DONE = "done.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a batch came to. `reasons` counts rejected rows, the most frequent first."""

    model: str
    version: int
    rows: int
    answered: int
    rejected: int
    reasons: Mapping[str, int]
    places: Sequence[str]  # of the output, and of the rejected rows where there are any
    digests: Sequence[str]
    seconds: float
    computed: int = 0  # rows that were not there from an earlier try


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is to be scored by what."""

    node: PredictNode
    key: str  # of the result: the model, the input, and how
    model: str
    version: int
    load: Callable[[], Model]
    sources: Sources
    uri: str
    target: Target
    suffix: str  # of the output
    root: Path

    @property
    def folder(self) -> Path:
        """Where the parts lie until the output is made of them."""
        return self.root / "batch" / self.key

    @property
    def cache(self) -> FileStageCache:
        return FileStageCache(self.root / "cache" / "batch")

    def find_done(self) -> Summary | None:
        """Return what an earlier command came to whose output is still as it was made."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            said = json.loads((self.folder / _DONE).read_text("utf-8"))[self.node.output]
            done = Summary(**said)
            if self.target.digests() == list(done.digests):
                return done
        return None

    def note_done(self, summary: Summary) -> None:
        """Remember what came of it, for each output by its name."""
        file = self.folder / _DONE
        known: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            known = json.loads(file.read_text("utf-8"))
        known[self.node.output] = asdict(summary)
        beside = file.with_suffix(".tmp")
        beside.write_text(json.dumps(known, indent=1), encoding="utf-8")
        beside.replace(file)


def plan_batch(node: PredictNode, lake: LakeStore, root: Path) -> Batch:
    """Find the model and the input; nothing is loaded or read that is known by its digest.

    Raises:
        ConfigError: The input is not there, or is no table.
        ModelNotFound: The lake has no such model, version or alias.
    """
    remembered = StatCache(root / "cache" / "files.json")
    models = SourceModels(partial(read_current, lake))
    # A lake that nobody has made yet has no state to read at; then only what needs it fails.
    commit = lake.resolve(node.ref) if node.input.startswith(LAKE) else ""
    sources = Sources(remembered.remember, lake, commit, models)
    uri = node.input if node.input.startswith(_SCHEMES) else f"file:{node.input}"
    try:
        digest = sources.digest(uri)
    except SourceNotFound as error:
        raise ConfigError([error.as_problem("input")]) from error
    name, number, package, load = _find_model(node, lake)
    remembered.save()
    suffix = suffix_of(node.output) or SUFFIXES[0]
    path = node.output.removeprefix("file:")
    target: Target = FileTarget(path, suffix, partial(_remembered_digest, remembered))
    if path.startswith(LAKE):
        target = LakeTarget(lake, path.removeprefix(LAKE), suffix)
    return Batch(
        node=node,
        key=_key(node, digest, package),
        model=name,
        version=number,
        load=load,
        sources=sources,
        uri=uri,
        target=target,
        suffix=suffix,
        root=root,
    )


def find_source(batch: Batch, folder: Path) -> tuple[Source, list[str], bool]:
    """Return the files of the input, what they are called, and whether they are CSV.

    Raises `ConfigError` where they are not all of one kind.
    """
    source = batch.sources.find(batch.uri, folder)
    names = [
        LAKE + path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
        for path in source.paths
    ]
    kinds = {suffix_of(name) for name in names}
    if None in kinds or len({kind == ".parquet" for kind in kinds}) > 1:
        wrong = next((name for name in names if suffix_of(name) is None), names[0])
        found = f"{wrong} is among tables of another kind, or is none"
        raise ConfigError.one("input", found, "name files of one kind: input='<folder>/*.parquet'")
    return source, names, ".parquet" not in kinds


def _remembered_digest(remembered: StatCache, file: Path) -> str:
    digest = str(remembered.remember("sha256", file.absolute(), lambda: digest_file(file)))
    remembered.save()
    return digest


def _find_model(node: PredictNode, lake: LakeStore) -> tuple[str, int, str, Callable[[], Model]]:
    """Return name, version, digest of the package, and what loads it."""
    if Path(node.model).is_dir():
        loaded = load_folder(Path(node.model), engine=node.engine)
        return loaded.name or Path(node.model).name, loaded.version, loaded.digest, lambda: loaded
    name, alias, number = parse_model(node.model)
    lake.require()
    commit, registry = read_current(lake, name)
    entry = find_aliased(registry, alias) if number is None else find_numbered(registry, number)
    found = int(entry["version"])
    load = partial(load_version, lake, name, version=found, commit=commit, engine=node.engine)
    return name, found, str(entry["digest"]), load


def _key(node: PredictNode, digest: str, package: str) -> str:
    """Return the digest of all that decides about the output's rows, and of how they are parted."""
    return digest_value(
        {
            "batch": FORMAT,
            "headrace": headrace.__version__,
            "packages": {name: _version(name) for name in _PACKAGES},
            "package": package,
            "engine": node.engine,
            "input": digest,
            "is_csv": not node.input.lower().endswith(".parquet"),
            "into_parquet": suffix_of(node.output) == ".parquet",
            "keep": node.keep,
            "probabilities": node.probabilities,
            "partition_rows": node.partition_rows,
        }
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
