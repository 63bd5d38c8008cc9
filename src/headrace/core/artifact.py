"""What a stage makes: an artifact, known by the digest of its content."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A stored output. `uri` is `lake://<commit>/<path>`; a directory's path has no suffix."""

    digest: str  # sha256:<hex> of the bytes; of the sorted (path, digest) listing for a directory
    bytes: int
    codec: str
    uri: str

    @property
    def commit(self) -> str:
        return self.uri.removeprefix("lake://").partition("/")[0]

    @property
    def path(self) -> str:
        return self.uri.removeprefix("lake://").partition("/")[2]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Artifact:
        return cls(digest=data["digest"], bytes=data["bytes"], codec=data["codec"], uri=data["uri"])


def lake_uri(commit: str, path: str) -> str:
    return f"lake://{commit}/{path}"
