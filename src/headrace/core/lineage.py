"""What a run read and made, as references: where it lies for ever, and the digest of its content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from headrace.core.artifact import Artifact

SHORT = 12  # digits of a commit or digest that people are shown

_UNFIT = re.compile(r"[^\w.-]+")
_NAME_AT_MOST = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencedFile:
    """One file of a reference. `uri` names these bytes for ever, `digest` tells whether they are the same."""

    path: str
    uri: str
    digest: str
    bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A data set or a model that lies elsewhere: nothing is copied.

    `name` is the same for every version, `alias` is the version's own: the commit at which it was read,
    or the beginning of its digest. The digests of the files decide whether two versions are one.
    """

    name: str
    kind: str  # dataset or model
    alias: str
    files: tuple[ReferencedFile, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def fit_name(text: str) -> str:
    """Return a name that every registry takes: letters, digits, `_`, `.` and `-`."""
    return _UNFIT.sub("-", text)[:_NAME_AT_MOST].strip("-") or "unnamed"


def lake_address(identity: str, commit: str, path: str) -> str:
    """Return where an object lies for ever: `lakefs://<repository>/<commit>/<path>`, or `lake://<commit>/<path>`.

    `identity` is the lake's own, of which a lake on a server ends with its repository.
    """
    if identity.startswith("lakefs:"):
        return f"lakefs://{identity.rpartition('/')[2]}/{commit}/{path}"
    return f"lake://{commit}/{path}"


def refer_to_source(source: Mapping[str, Any], digest: str, identity: str, commit: str) -> Reference:
    """Refer to an external input that is no model.

    Args:
        source: what the run's record says of it: `uri`, `bytes`, and `files` unless they are too many.
        digest: of the whole, `sha256:<hex>`.
        identity: the lake's.
        commit: the one at which `lake:` inputs were read.
    """
    uri = str(source["uri"])
    scheme, _, rest = uri.partition(":")
    listed = source.get("files") or {rest.rstrip("/"): digest}
    in_lake = scheme == "lake"
    root = "" if in_lake else _folder(list(listed))
    files = tuple(
        ReferencedFile(
            path=name.removeprefix(root),
            uri=lake_address(identity, commit, name) if in_lake else _outside(uri, name, len(listed)),
            digest=found,
            bytes=int(source["bytes"]) if len(listed) == 1 else None,
        )
        for name, found in sorted(listed.items())
    )
    about = {"uri": uri, "digest": digest, "bytes": source["bytes"]}
    return Reference(
        name=fit_name(uri),
        kind="dataset",
        alias=commit[:SHORT] if in_lake else short_digest(digest),
        files=files,
        metadata={**about, "commit": commit} if in_lake else about,
    )


def refer_to_model(model: str, package: Artifact, identity: str, metadata: Mapping[str, Any]) -> Reference:
    """Refer to a package in the lake; the same package gives the same version, wherever it lies."""
    found = {"digest": package.digest, "codec": package.codec, "lake": package.uri, "bytes": package.bytes}
    file = ReferencedFile(
        path="package",
        uri=lake_address(identity, package.commit, package.path),
        digest=package.digest,
        bytes=package.bytes,
    )
    return Reference(
        name=fit_name(model),
        kind="model",
        alias=short_digest(package.digest),
        files=(file,),
        metadata={**found, **metadata},
    )


def short_digest(digest: str) -> str:
    """Return the beginning of a digest without its algorithm."""
    return fit_name(digest.rpartition(":")[2])[:SHORT]


def _folder(names: list[str]) -> str:
    """Return the folder that all of these files lie in, as a prefix: machine paths stay out."""
    parents = [PurePosixPath(name).parent.parts for name in names]
    shared: list[str] = []
    for parts in zip(*parents, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    prefix = str(PurePosixPath(*shared)) if shared else ""
    return f"{prefix.rstrip('/')}/" if prefix not in ("", ".") else ""


def _outside(uri: str, name: str, count: int) -> str:
    """Return the URI of one file of a source outside the lake: as the config says, and the file's name."""
    return uri if count == 1 else f"{uri}#{PurePosixPath(name).name}"
