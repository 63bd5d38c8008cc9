"""What an artifact must have before its commit: a manifest, and every file of it with the right MD5."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from headrace.testing.wandb.artifacts import Artifact, Entry
from headrace.testing.wandb.refusal import Refusal
from headrace.testing.wandb.storage import StoredFile
from headrace.testing.wandb.store import Store

HEADER = b"wandb-artifact-manifest-v1\n"


def commit(artifact: Artifact, store: Store) -> None:
    """Make a pending artifact the next version of its sequence.

    Does nothing to one that is committed already. Raises `Refusal` where the manifest or a file did not
    arrive, or has another size or MD5 than was declared.
    """
    if artifact.state == "COMMITTED":
        return
    entries = read_manifest(artifact)
    problems = [text for entry in entries.values() if (text := _problem(artifact, entry, store))]
    if problems:
        raise Refusal(400, f"cannot commit {artifact.sequence.name}: {'; '.join(problems)}")
    digest = manifest_digest(entries.values())
    if digest != artifact.digest:
        raise Refusal(400, f"the manifest has the digest {digest}, the artifact declared {artifact.digest}")
    artifact.entries = entries
    artifact.state = "COMMITTED"
    version = store.add_version(artifact.sequence, artifact)
    artifact.version_index = version.version_index
    for collection, alias in artifact.aliases_at_commit:
        if collection == artifact.sequence.name:
            artifact.sequence.place(alias, version)


def read_manifest(artifact: Artifact) -> dict[str, Entry]:
    """Return the entries of the uploaded manifest. Raises `Refusal` for one that is missing or odd."""
    if artifact.manifest is None or artifact.manifest.file is None:
        raise Refusal(400, f"cannot commit {artifact.sequence.name}: its manifest did not arrive")
    document = json.loads(artifact.manifest.file.content)
    if document["version"] != 1 or document["storagePolicy"] != "wandb-storage-policy-v1":
        raise Refusal(400, f"no such manifest: {document['version']} {document['storagePolicy']}")
    return {path: _entry(path, found) for path, found in document["contents"].items()}


def _entry(path: str, found: dict[str, Any]) -> Entry:
    return Entry(
        path=path,
        digest=found["digest"],
        size=found.get("size"),
        ref=found.get("ref"),
        birth_artifact_id=found.get("birthArtifactID"),
        extra=found.get("extra", {}),
    )


def manifest_digest(entries: Iterable[Entry]) -> str:
    """Return the artifact's digest: the MD5 of all paths and digests, sorted by path, in hexadecimal."""
    lines = [f"{entry.path}:{entry.digest}\n".encode() for entry in sorted(entries, key=lambda e: e.path)]
    return hashlib.md5(HEADER + b"".join(lines), usedforsecurity=False).hexdigest()


def find_file(artifact: Artifact, entry: Entry, store: Store) -> StoredFile | None:
    """Return the stored bytes of an entry, which may have come with an earlier version."""
    birth = store.artifacts.get(entry.birth_artifact_id or artifact.id)
    return None if birth is None else birth.files.get(entry.path)


def _problem(artifact: Artifact, entry: Entry, store: Store) -> str:
    if entry.ref is not None:
        return ""
    file = find_file(artifact, entry, store)
    if file is None:
        return f"{entry.path} did not arrive"
    if file.md5 != entry.digest:
        return f"{entry.path} arrived with the MD5 {file.md5}, the manifest says {entry.digest}"
    if entry.size is not None and entry.size != len(file.content):
        return f"{entry.path} arrived with {len(file.content)} bytes, the manifest says {entry.size}"
    return ""


def hex_of(md5: str) -> str:
    return base64.b64decode(md5).hex()
