"""Runs of the real client, as they arrive at the stand-in."""

from __future__ import annotations

from headrace.testing.wandb import WandbServer
from tests.wandb_client import WandbClient


def test_a_run_arrives_with_all_that_was_logged(client: WandbClient, server: WandbServer) -> None:
    """Config, group, job type, tags, notes, history, summary, media and alerts arrive as they were."""
    outcome = client.script("""
        with open_run(group="g", job_type="train", tags=["a", "b"], config={"lr": 0.1, "net": {"width": 8}},
                      name="first", notes="a note", resume="allow") as run:
            for step in range(3):
                run.log({"loss": 1.0 / (step + 1)})
            run.log({"page": wandb.Html("<p>text</p>"),
                     "rows": wandb.Table(columns=["a", "b"], data=[[1, "x"]])})
            run.summary["accuracy"] = 0.75
            run.alert("It went wrong", "in a test", level="ERROR", wait_duration=5)
    """)
    assert outcome.code == 0, outcome.output
    run = server.store.run("r1")
    assert (run.project.name, run.display_name, run.group, run.job_type) == ("demo", "first", "g", "train")
    assert (run.tags, run.notes, run.state, run.exit_code) == (["a", "b"], "a note", "finished", 0)
    assert run.settings == {"lr": 0.1, "net": {"width": 8}}
    assert [row["loss"] for row in run.history[:3]] == [1.0, 0.5, 1.0 / 3]
    assert run.summary["accuracy"] == 0.75
    assert b"<p>text</p>" in run.files[run.summary["page"]["path"]].content
    assert run.files[run.summary["rows"]["path"]].content == b'{"columns":["a","b"],"data":[[1,"x"]]}'
    assert [(a.title, a.text, a.severity, a.wait_milliseconds) for a in run.alerts] == [
        ("It went wrong", "in a test", "ERROR", 5000)
    ]


def test_a_resumed_run_goes_on_where_it_was(client: WandbClient, server: WandbServer) -> None:
    """A second start under the same id appends to the history, and a failed end is the run's state."""
    outcome = client.script("""
        with open_run(resume="allow", config={"lr": 0.1}) as run:
            run.log({"loss": 2})
        with open_run(resume="allow") as run:
            tell(resumed=run.resumed)
            run.log({"loss": 1})
            run.config["more"] = True
            run.save(write("note.txt", "text"))
            run.finish(exit_code=3)
    """)
    assert outcome.result == {"resumed": True}
    run = server.store.run("r1")
    assert [(row["_step"], row["loss"]) for row in run.history] == [(0, 2), (1, 1)]
    assert run.settings == {"lr": 0.1, "more": True}
    assert (run.state, run.exit_code) == ("failed", 3)
    assert run.files["note.txt"].content == b"text"
    assert "note.txt" in run.reported_files
