"""`wandb sync` of offline runs: what arrives, what a second time changes, and what is silently missing."""

from __future__ import annotations

import shutil
from pathlib import Path

from headrace.testing.wandb import WandbServer
from tests.wandb_client import WandbClient

OFFLINE_RUN = """
    with open_run() as run:
        run.log({"loss": 1})
        for name, alias in (("data", "c0ffee"), ("model", "candidate")):
            artifact = wandb.Artifact(name, type=name)
            artifact.add_file(write(name + ".txt", name))
            run.log_artifact(artifact, aliases=[alias])
    tell(folder=run.settings.sync_dir)
"""


def test_an_offline_run_is_synced_once(client: WandbClient, server: WandbServer) -> None:
    """Sync brings rows and artifacts with their aliases; forced, it sends the rows again, but no version."""
    folder = client.script(OFFLINE_RUN, WANDB_MODE="offline").result["folder"]
    assert server.requests == []
    # The client goes on at the line that the server names, so forcing it appends the same rows.
    for arguments, losses in (((folder,), [1]), (("--no-skip-synced", folder), [1, 1])):
        outcome = client.command("sync", "-n", "1", *arguments)
        assert outcome.code == 0, outcome.output
        run = server.store.run("r1")
        assert (run.state, [row["loss"] for row in run.history]) == ("finished", losses)
        found = [(a.name, a.aliases) for a in server.store.artifacts.values()]
        assert sorted(found) == [("data:v0", {"c0ffee", "latest"}), ("model:v0", {"candidate", "latest"})]


def test_sync_leaves_an_artifact_without_its_staged_file_pending(
    client: WandbClient, server: WandbServer
) -> None:
    """The client says success where the staged file is gone; the artifact is pending, and no version."""
    folder = client.script(OFFLINE_RUN, WANDB_MODE="offline").result["folder"]
    shutil.rmtree(Path(client.environment["WANDB_DATA_DIR"]) / "artifacts")
    assert client.command("sync", "-n", "1", folder).code == 0
    assert server.store.run("r1").state == "finished"
    assert {artifact.state for artifact in server.store.artifacts.values()} == {"PENDING"}
    assert server.store.collection("demo/model").versions == []
