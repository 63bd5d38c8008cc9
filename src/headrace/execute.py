"""One stage, from the digests of its inputs to outputs committed in the lake."""

from __future__ import annotations

import pkgutil
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.adapters.source_files import Sources
from headrace.config.build import build_node
from headrace.core.artifact import Artifact, lake_uri
from headrace.core.digest import digest_listing
from headrace.core.key import CONTEXT, Key
from headrace.core.plan import StageResult
from headrace.core.ports import Codec, Context, LakeReader, LakeStore, ObjectInfo
from headrace.core.record import branch_of
from headrace.core.signature import Signature
from headrace.core.spec import StageSpec
from headrace.errors import HeadraceError, ObjectNotFound, RefNotFound, StageError, did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What the stages of one run work with. `commit_lock` keeps their commits to the branch apart."""

    run_id: str
    lake: LakeStore
    codecs: Sequence[Codec]
    sources: Sources
    scratch: Path
    commit_metadata: Mapping[str, str]
    commit_lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def branch(self) -> str:
        return branch_of(self.run_id)


def execute_stage(
    bench: Workbench,
    spec: StageSpec,
    key: Key,
    inputs: Mapping[str, Artifact],
    signature: Signature,
    context: Context,
) -> StageResult:
    """Load the inputs (artifacts by argument), call the function, store and commit what it returns.

    Raises what the function raises, and `StageError` for outputs that it did not return or that no
    codec can store; then nothing is staged or committed.
    """
    started = time.perf_counter()
    bench.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=bench.scratch, prefix=f"{spec.name}-") as folder:
        work = Path(folder)
        arguments = _load_inputs(bench, spec, inputs, signature, work)
        arguments.update(_build_params(spec))
        if CONTEXT in signature.names():
            arguments[CONTEXT] = context
        with _naming_sources(work / "sources"):
            returned = import_call(spec.call)(**arguments)
        encoded = _encode_outputs(bench.codecs, spec, returned, work)
        del arguments, returned
        outputs = _commit_outputs(bench, spec, key, encoded)
    return StageResult(
        stage=spec.name,
        key=key.value,
        run=bench.run_id,
        seconds=round(time.perf_counter() - started, 4),
        outputs=outputs,
    )


def load_artifact(
    lake: LakeStore, codecs: Sequence[Codec], artifact: Artifact, wanted: str, work: Path
) -> Any:
    """Read an artifact in the type `wanted` (a qualified name, or '' for its own)."""
    codec = next((codec for codec in codecs if codec.name == artifact.codec), None)
    if codec is None:
        names = [codec.name for codec in codecs]
        raise StageError(f"no codec '{artifact.codec}' reads {artifact.uri}; {did_you_mean('', names)}")
    if codec.suffix:
        return codec.read(lake.local_path(artifact.commit, artifact.path), wanted)
    folder, _ = lay_out(lake, artifact.commit, artifact.path, Path(tempfile.mkdtemp(dir=work, prefix="in-")))
    return codec.read(folder, wanted)


def artifact_is_there(lake: LakeStore, artifact: Artifact) -> bool:
    """Tell whether an artifact's objects exist as they were stored, without reading their bytes."""
    try:
        found = list(lake.list(artifact.commit, prefix=artifact.path))  # one question, file or folder
    except RefNotFound:
        return False
    objects = {info.path: info.digest for info in found if isinstance(info, ObjectInfo)}
    if artifact.path in objects:
        return objects[artifact.path] == artifact.digest
    folder = f"{artifact.path}/"
    below = {path.removeprefix(folder): d for path, d in objects.items() if path.startswith(folder)}
    return digest_listing(below.items()) == artifact.digest


def lay_out(lake: LakeReader, commit: str, path: str, folder: Path) -> tuple[Path, dict[str, str]]:
    """Fill a folder with links to the verified files below a path; return it, and their digests by name.

    Raises `ObjectNotFound` where there are none.
    """
    prefix = f"{path}/"
    found = [info for info in lake.list(commit, prefix=prefix) if isinstance(info, ObjectInfo)]
    if not found:
        raise ObjectNotFound(f"there is nothing at {lake_uri(commit, path)}")
    names = [info.path.removeprefix(prefix) for info in found]
    for name, file in zip(names, lake.local_paths(commit, found), strict=True):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(file.absolute())
    return folder, {name: info.digest for name, info in zip(names, found, strict=True)}


def _load_inputs(
    bench: Workbench, spec: StageSpec, inputs: Mapping[str, Artifact], signature: Signature, work: Path
) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for argument, uri in spec.external_inputs().items():
        if uri.startswith("model:"):
            package = bench.sources.models.package(uri)
            if package is not None:  # else the argument's default, which is to say that there is none
                arguments[argument] = _load(bench, package, signature, argument, work)
            continue
        source = bench.sources.find(uri, work / "sources" / argument)
        arguments[argument] = list(source.paths) if source.is_many else source.paths[0]
    for argument, artifact in inputs.items():
        arguments[argument] = _load(bench, artifact, signature, argument, work)
    return arguments


def _load(bench: Workbench, artifact: Artifact, signature: Signature, argument: str, work: Path) -> Any:
    return load_artifact(bench.lake, bench.codecs, artifact, signature.type_of(argument), work)


@contextmanager
def _naming_sources(folder: Path) -> Iterator[None]:
    """Name files of the lake in a stage's error as the lake does: the folder of links is gone by then."""
    try:
        yield
    except StageError as error:
        told = re.sub(rf"{re.escape(str(folder))}/\w+/", "", str(error))
        if told == str(error):
            raise
        raise StageError(told) from error


def _build_params(spec: StageSpec) -> dict[str, Any]:
    try:
        return dict(build_node(spec.params))
    except Exception as error:
        # Hydra wraps what a constructor raises; ours say more than the wrapper.
        if isinstance(error.__cause__, HeadraceError):
            raise error.__cause__ from None
        raise


def import_call(call: str) -> Callable[..., Any]:
    """Import the function of a stage."""
    function: Callable[..., Any] = pkgutil.resolve_name(call)
    return function


@dataclass(frozen=True, slots=True)
class _Encoded:
    codec: Codec
    path: Path
    artifact: str


def _encode_outputs(
    codecs: Sequence[Codec], spec: StageSpec, returned: Any, work: Path
) -> dict[str, _Encoded]:
    if not isinstance(returned, Mapping):
        kind = type(returned).__name__
        raise StageError(f"{spec.call} returned a {kind}; return a dict such as {{'{spec.name}': value}}")
    encoded: dict[str, _Encoded] = {}
    for name, artifact in spec.outputs.items():
        if name not in returned:
            hint = did_you_mean(name, map(str, returned), f"stages.{spec.name}.outputs.{{}}=<artifact>")
            raise StageError(f"{spec.call} returned no '{name}'; {hint}")
        value = returned[name]
        codec = next((codec for codec in codecs if codec.accepts(value)), None)
        if codec is None:
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            raise StageError(
                f"output '{name}' of {spec.call} is a {kind}, which no codec stores; "
                "return a table, an array, a dict, an estimator, a figure or a Path"
            )
        path = work / f"out-{name}{codec.suffix}"
        codec.write(value, path)
        encoded[name] = _Encoded(codec, path, artifact)
    return encoded


def _commit_outputs(
    bench: Workbench, spec: StageSpec, key: Key, encoded: Mapping[str, _Encoded]
) -> dict[str, Artifact]:
    """Stage and commit all outputs of a stage as one commit; a failure leaves nothing staged."""
    folder = f"runs/{bench.run_id}/{spec.name}"
    stored: dict[str, tuple[str, str, int, str]] = {}
    with bench.commit_lock:
        try:
            for name, item in encoded.items():
                path = f"{folder}/{item.artifact}{item.codec.suffix}"
                digest, size = _put(bench, path, item)
                stored[name] = (digest, item.codec.name, size, path)
            metadata = {"run": bench.run_id, "stage": spec.name, "key": key.value, **bench.commit_metadata}
            commit = bench.lake.commit(
                bench.branch, f"{spec.name} of run {bench.run_id}", metadata, allow_empty=True
            )
        except BaseException:
            bench.lake.reset(bench.branch, folder)
            raise
    return {
        name: Artifact(digest=digest, bytes=size, codec=codec, uri=lake_uri(commit.id, path))
        for name, (digest, codec, size, path) in stored.items()
    }


def _put(bench: Workbench, path: str, item: _Encoded) -> tuple[str, int]:
    """Stage one output, a file or every file of a folder; return its digest and size in bytes."""
    if item.codec.suffix:
        info = bench.lake.put(bench.branch, path, item.path, consume=True)
        return info.digest, info.bytes
    files = {
        f"{path}/{file.relative_to(item.path).as_posix()}": file
        for file in sorted(item.path.rglob("*"))
        if file.is_file()
    }
    stored = bench.lake.put_many(bench.branch, files, consume=True)
    listing = [(info.path[len(path) + 1 :], info.digest) for info in stored]
    return digest_listing(listing), sum(info.bytes for info in stored)
