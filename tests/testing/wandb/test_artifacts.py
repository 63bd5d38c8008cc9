"""Artifacts of the real client: versions, aliases, references, lineage, links, and what is refused."""

from __future__ import annotations

import pytest

from headrace.testing.wandb import Fault, WandbServer
from tests.wandb_client import WandbClient

LOG_A_FILE = """
    with open_run(settings=HASTY) as run:
        artifact = wandb.Artifact("table", type="dataset")
        artifact.add_file(write("rows.csv", "a,b"))
        try:
            run.log_artifact(artifact).wait()
        except ValueError as error:
            tell(error=str(error))
        else:
            tell(error="")
"""


def test_versions_keep_files_references_and_lineage(client: WandbClient, server: WandbServer) -> None:
    """A reference keeps its URI as digest; the same content is no new version; inputs are the run's."""
    outcome = client.script("""
        def data(commit):
            found = wandb.Artifact("flights", type="dataset", metadata={"commit": commit})
            found.add_reference(f"lakefs://repo/{commit}/t.parquet", name="t.parquet", checksum=False)
            return found

        def model(text):
            found = wandb.Artifact("model", type="model")
            found.add_file(write("weights", text))
            return found

        with open_run("first") as run:
            run.use_artifact(data("c0ffee"), aliases=["c0ffee"])
            run.log_artifact(model("one"), aliases=["candidate"]).wait()
        with open_run("second") as run:
            run.use_artifact(data("c0ffee"), aliases=["c0ffee"])
            run.use_artifact("model:candidate")
            run.log_artifact(model("one")).wait()
            run.log_artifact(model("two"), aliases=["candidate"]).wait()
    """)
    assert outcome.code == 0, outcome.output
    data = server.store.artifact("demo/flights:c0ffee")
    assert (data.name, data.aliases, data.metadata) == (
        "flights:v0",
        {"c0ffee", "latest"},
        {"commit": "c0ffee"},
    )
    entry = data.entries["t.parquet"]
    assert entry.ref == entry.digest == "lakefs://repo/c0ffee/t.parquet"
    assert [run.name for run in data.used_by] == ["first", "second"]
    versions = [version.artifact for version in server.store.collection("demo/model").versions]
    assert [(v.name, v.aliases) for v in versions] == [
        ("model:v0", set()),
        ("model:v1", {"candidate", "latest"}),
    ]
    assert [v.files["weights"].content for v in versions] == [b"one", b"two"]
    assert server.store.run("first").logged == versions[:1]
    assert server.store.run("second").used == [data, versions[0]]


def test_links_and_aliases_are_of_the_collection(client: WandbClient, server: WandbServer) -> None:
    """A version is linked to registries and portfolios, each with aliases of its own, from a run or later."""
    outcome = client.script("""
        with open_run() as run:
            artifact = wandb.Artifact("model", type="model")
            artifact.add_file(write("weights", "one"))
            run.log_artifact(artifact, aliases=["candidate"]).wait()
            linked = run.link_artifact(artifact, "wandb-registry-model/pens", aliases=["v-one"])
            try:
                run.link_artifact(artifact, "wandb-registry-none/pens")
            except Exception as error:
                refused = str(error)

        api = wandb.Api()
        found = api.artifact("demo/model:candidate")
        found.aliases.append("1.0")
        found.aliases.remove("candidate")
        found.save()
        found.link("demo/shelf", aliases=["top"])
        registered = api.artifact("wandb-registry-model/pens:v-one")
        registered.aliases.append("production")
        registered.save()
        found.link("wandb-registry-model/spare")
        api.artifact("wandb-registry-model/spare:latest").unlink()
        tell(linked=linked.qualified_name, source=registered.source_qualified_name, refused=refused)
    """)
    assert outcome.result["linked"] == "stand-in-org/wandb-registry-model/pens:v0"
    assert outcome.result["source"] == "stand-in-team/demo/model:v0"
    assert "could not find registry stand-in-org/wandb-registry-none" in outcome.result["refused"]
    model = server.store.artifact("demo/model:v0")
    assert model.aliases == {"1.0", "latest"}
    assert model.links == {
        "stand-in-org/wandb-registry-model/pens": {"v-one", "production", "latest"},
        "stand-in-team/demo/shelf": {"top", "latest"},
    }


def test_an_artifact_whose_file_was_lost_is_not_committed(client: WandbClient, server: WandbServer) -> None:
    """An upload that was answered but not kept makes the commit fail, and the client says so."""
    server.faults.add(Fault(kind="lost", operation="upload"))
    outcome = client.script(LOG_A_FILE)
    assert "rows.csv did not arrive" in outcome.result["error"]
    assert [a.state for a in server.store.artifacts.values()] == ["PENDING"]
    with pytest.raises(KeyError):
        server.store.artifact("demo/table:latest")


def test_a_file_that_changed_on_its_way_is_not_taken(client: WandbClient, server: WandbServer) -> None:
    """Bytes with another MD5 than was declared are refused, so that nothing is committed."""
    server.faults.add(Fault(kind="corrupt", operation="upload"))
    outcome = client.script(LOG_A_FILE)
    assert "giving up" in outcome.result["error"]
    assert ("upload", 400) in server.requests
    assert "CommitArtifact" not in server.operations
