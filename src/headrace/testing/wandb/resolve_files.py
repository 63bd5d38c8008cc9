"""Files: slots for uploads, and signed URLs for what arrived."""

from __future__ import annotations

import fnmatch
from typing import Any

from headrace.testing.wandb.artifacts import Artifact, Entry, Manifest, Membership
from headrace.testing.wandb.commit import find_file, hex_of
from headrace.testing.wandb.fields import Arguments, Context, Fields, paged
from headrace.testing.wandb.refusal import Refusal, Violation
from headrace.testing.wandb.runs import Run
from headrace.testing.wandb.storage import Slot, StoredFile

fields = Fields()


# --- files of runs --------------------------------------------------------------------------------


@fields("Mutation.createRunFiles")
def create_run_files(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    given = arguments["input"]
    run = context.store.find_run(given["entityName"], given["projectName"], given["runName"])

    def keep_as(name: str) -> Slot:
        return context.storage.open_slot(name, lambda file: run.files.update({name: file}))

    slots = [_slot_file(context, keep_as(name)) for name in given["files"]]
    return {"runID": run.id, "uploadHeaders": [], "files": slots}


@fields("Mutation.markRunFilesUploaded")
def mark_run_files_uploaded(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    """Note which files the client says it sent. Raises `Refusal` for one that did not arrive."""
    given = arguments["input"]
    run = context.store.find_run(given["entityName"], given["projectName"], given["runName"])
    if lost := [name for name in given["files"] if name not in run.files]:
        raise Refusal(400, f"these files of {run.name} did not arrive: {', '.join(lost)}")
    run.reported_files.extend(given["files"])
    return {"success": True}


@fields("Run.fileCount")
def file_count(run: Run, context: Context, arguments: Arguments) -> int:
    return len(run.files)


@fields("Run.files")
def run_files(run: Run, context: Context, arguments: Arguments) -> dict[str, Any]:
    names, pattern = arguments.get("names") or None, arguments.get("pattern")
    found = [
        _stored_file(context, file)
        for name, file in run.files.items()
        if (names is None or name in names)
        and (pattern is None or fnmatch.fnmatchcase(name, pattern.replace("%", "*")))
    ]
    return paged(found, arguments)


@fields("File.url")
def file_url(file: dict[str, Any], context: Context, arguments: Arguments) -> str:
    if arguments.get("upload"):
        raise Violation(400, "uploads go to the URLs of createRunFiles")
    return str(file["directUrl"])


# --- files of artifacts ---------------------------------------------------------------------------


@fields("Mutation.createArtifactFiles")
def create_artifact_files(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    nodes = [_artifact_slot(context, spec) for spec in arguments["input"]["artifactFiles"]]
    return {"files": paged(nodes, {})}


def _artifact_slot(context: Context, spec: dict[str, Any]) -> dict[str, Any]:
    artifact = context.store.find_artifact(spec["artifactID"])
    if artifact.state != "PENDING":
        raise Refusal(409, f"{artifact.sequence.name} is committed: it takes no more files")
    if spec.get("uploadPartsInput"):
        raise Violation(400, f"{spec['name']}: the stand-in takes no uploads in parts")
    name = spec["name"]
    slot = context.storage.open_slot(
        name,
        lambda file: artifact.files.update({name: file}),
        md5=spec["md5"],
        mimetype=spec.get("mimetype"),
    )
    path = f"wandb_artifacts/{artifact.number}/{hex_of(spec['md5'])}"
    return {**_slot_file(context, slot), "artifact": artifact, "storagePath": path}


@fields("ArtifactManifest.file")
def manifest_file(manifest: Manifest, context: Context, arguments: Arguments) -> dict[str, Any]:
    """Return the manifest's stored file, with a slot to upload it to where it has not come yet."""
    if manifest.file is not None:
        return _stored_file(context, manifest.file)

    def keep(file: StoredFile) -> None:
        manifest.file = file

    return _slot_file(context, context.storage.open_slot(manifest.name, keep, md5=manifest.digest or None))


@fields("ArtifactCollectionMembership.files")
def membership_files(membership: Membership, context: Context, arguments: Arguments) -> dict[str, Any]:
    names = arguments.get("names")
    artifact = membership.artifact
    chosen = [entry for entry in artifact.entries.values() if not names or entry.path in names]
    return paged(_entry_files(context, artifact, chosen), arguments)


@fields("Artifact.filesByManifestEntries")
def files_by_manifest_entries(artifact: Artifact, context: Context, arguments: Arguments) -> dict[str, Any]:
    chosen = []
    for given in arguments.get("entries") or []:
        entry = artifact.entries.get(given["name"])
        if entry is None or entry.digest != given["digest"]:
            raise Refusal(404, f"{artifact.name} has no file {given['name']} with this digest")
        chosen.append(entry)
    return paged(_entry_files(context, artifact, chosen), {})


def _entry_files(context: Context, artifact: Artifact, entries: list[Entry]) -> list[dict[str, Any]]:
    """Return the files of entries; a reference has none."""
    found = [(entry, find_file(artifact, entry, context.store)) for entry in entries if entry.ref is None]
    return [_stored_file(context, file, entry.path) for entry, file in found if file is not None]


def _slot_file(context: Context, slot: Slot) -> dict[str, Any]:
    url = context.storage.url(slot.token, slot.name)
    return {
        "id": slot.token,
        "name": slot.name,
        "displayName": slot.name,
        "uploadUrl": url,
        "uploadHeaders": list(slot.headers),
        "uploadMultipartUrls": None,
        "directUrl": url,
    }


def _stored_file(context: Context, file: StoredFile, name: str | None = None) -> dict[str, Any]:
    url = context.storage.url(file.token, file.name)
    return {
        "id": file.token,
        "name": name or file.name,
        "displayName": name or file.name,
        "directUrl": url,
        "md5": file.md5,
        "digest": file.md5,
        "mimetype": None,
        "sizeBytes": len(file.content),
        "storagePath": None,
        "updatedAt": file.updated_at,
        "uploadUrl": None,
        "uploadHeaders": [],
    }
