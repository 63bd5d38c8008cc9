"""Runs of the real client, as they arrive at the stand-in."""

from __future__ import annotations

from headrace.testing.wandb import WandbServer
from tests.wandb_client import WandbClient


def test_a_run_arrives_with_all_that_was_logged(client: WandbClient, server: WandbServer) -> None:
    """Config, group, job type, tags, history, summary, an alert and a file artifact arrive as they were."""
    outcome = client.script("""
        with open_run(group="g", job_type="train", tags=["a", "b"], config={"lr": 0.1, "net": {"width": 8}},
                      name="first", notes="a note", resume="allow") as run:
            for step in range(3):
                run.log({"loss": 1.0 / (step + 1)})
            run.summary["accuracy"] = 0.75
            artifact = wandb.Artifact("table", type="dataset", metadata={"rows": 2})
            artifact.add_file(write("rows.csv", "a,b\\n1,2\\n"))
            run.log_artifact(artifact, aliases=["abc123"])
            run.alert("It went wrong", "in a test", level="ERROR", wait_duration=5)
    """)
    assert outcome.code == 0, outcome.output
    run = server.store.run("r1")
    assert (run.project.name, run.display_name, run.group, run.job_type) == ("demo", "first", "g", "train")
    assert (run.tags, run.notes, run.state, run.exit_code) == (["a", "b"], "a note", "finished", 0)
    assert run.settings == {"lr": 0.1, "net": {"width": 8}}
    assert [row["loss"] for row in run.history] == [1.0, 0.5, 1.0 / 3]
    assert run.summary["accuracy"] == 0.75
    assert [(a.title, a.text, a.severity, a.wait_milliseconds) for a in run.alerts] == [
        ("It went wrong", "in a test", "ERROR", 5000)
    ]
    artifact = server.store.artifact("demo/table:abc123")
    assert (artifact.type_name, artifact.state, artifact.metadata) == ("dataset", "COMMITTED", {"rows": 2})
    assert artifact.aliases == {"abc123", "latest"}
    assert artifact.files["rows.csv"].content == b"a,b\n1,2\n"
    assert run.logged == [artifact]
