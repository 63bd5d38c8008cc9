"""W&B's artifacts: files that go there, and references to what lies elsewhere."""

from __future__ import annotations

from typing import Any

from headrace.adapters.tracker_wandb.pending import CANDIDATE

PICTURE = ".png"


def attach(run: Any, command: dict[str, Any]) -> Any:
    """Log files as one version of an artifact."""
    import wandb

    artifact = wandb.Artifact(command["name"], type=command["kind"], metadata=command["metadata"])
    _add_files(artifact, command["files"])
    return run.log_artifact(artifact)


def pictures(command: dict[str, Any]) -> dict[str, Any]:
    """Return the pictures among an artifact's files as media, which the run's own page shows."""
    import wandb

    files = command["files"].items()
    return {
        f"{command['name']}/{name.removesuffix(PICTURE)}": wandb.Image(path)
        for name, path in files
        if name.endswith(PICTURE)
    }


def use(run: Any, reference: dict[str, Any]) -> Any:
    """Say that the run reads what a reference names. Known content is the version that is there."""
    # What `use_artifact` does online. Offline that refuses, although the log can hold it and `wandb sync`
    # does it: so the run is never taken for what made its data.
    return run._log_artifact(
        _refer(reference),
        aliases=[reference["alias"]],
        is_user_created=True,
        use_after_commit=True,
    )


def make_model(run: Any, command: dict[str, Any]) -> Any:
    """Log a model as a candidate: a reference, and its files where they are kept too."""
    artifact = _refer(command["reference"])
    _add_files(artifact, command["files"])
    return run.log_artifact(artifact, aliases=[CANDIDATE, command["reference"]["alias"]])


def _refer(reference: dict[str, Any]) -> Any:
    import wandb
    from wandb.sdk.artifacts.artifact_manifest_entry import ArtifactManifestEntry

    artifact = wandb.Artifact(reference["name"], type=reference["kind"], metadata=dict(reference["metadata"]))
    for file in reference["files"]:
        # `add_reference` takes the URI for the digest, or asks the store: the lake's own digest says
        # which versions are one, at whatever commit they are read.
        artifact.manifest.add_entry(
            ArtifactManifestEntry(
                path=file["path"], ref=file["uri"], digest=file["digest"], size=file["bytes"]
            )
        )
    return artifact


def _add_files(artifact: Any, files: dict[str, str]) -> None:
    for name, path in files.items():
        # W&B copies the file now; its cache would keep another copy in the user's home.
        artifact.add_file(path, name=name, skip_cache=True, policy="mutable")
