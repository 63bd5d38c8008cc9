"""Faults, and what the real client makes of them."""

from __future__ import annotations

import pytest

from headrace.testing.wandb import Fault, WandbServer
from tests.testing.wandb.asking import ask
from tests.wandb_client import WandbClient

LOG_ALL = """
    try:
        with open_run(settings=HASTY, resume="allow") as run:
            run.log({"loss": 1})
            artifact = wandb.Artifact("table", type="dataset")
            artifact.add_file(write("rows.csv", "a,b"))
            run.log_artifact(artifact).wait()
        tell(error="")
    except Exception as error:
        tell(error=type(error).__name__ + ": " + str(error))
"""


@pytest.mark.parametrize(
    "faults",
    [
        [
            Fault(kind="status", status=429, retry_after=1, operation=name)
            for name in ("UpsertBucket", "upload")
        ],
        [Fault(kind="status_after", operation=name) for name in ("CreateArtifact", "file_stream", "upload")],
        [Fault(kind="reset_after", operation=name) for name in ("CommitArtifact", "file_stream", "upload")],
    ],
    ids=["429", "500", "reset"],
)
def test_the_client_tries_again_after_a_passing_fault(
    client: WandbClient, server: WandbServer, faults: list[Fault]
) -> None:
    """A request that failed for a while, even when it was done, leaves one run with one version."""
    for fault in faults:
        server.faults.add(fault)
    outcome = client.script(LOG_ALL)
    assert outcome.result == {"error": ""}, outcome.output
    run = server.store.run("r1")
    assert (run.state, [row["loss"] for row in run.history]) == ("finished", [1])
    assert [artifact.name for artifact in server.store.artifacts.values()] == ["table:v0"]
    assert len([status for _, status in server.requests if status != 200]) == len(faults)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(kind="status", status=500, times=None), "500"),
        (Fault(kind="slow", seconds=60, times=None), "deadline exceeded"),
    ],
    ids=["500", "slow"],
)
def test_a_lasting_fault_ends_the_start_of_a_run(
    client: WandbClient, server: WandbServer, fault: Fault, said: str
) -> None:
    """`wandb.init` gives up within its time limit and says why; nothing is on the server."""
    server.faults.add(fault)
    outcome = client.script(LOG_ALL)
    assert outcome.result["error"].startswith("CommError"), outcome.output
    assert said in outcome.result["error"]
    assert server.store.runs == {}


def test_a_server_that_is_gone_refuses_connections_and_comes_back(
    client: WandbClient, server: WandbServer
) -> None:
    """While it is gone, the client finds nobody under the address; afterwards it answers there again."""
    address = server.url
    with server.gone():
        assert "connection refused" in client.script(LOG_ALL).result["error"]
    assert server.requests == []
    assert server.url == address
    assert ask(server, "{ viewer { username } }").data == {"viewer": {"username": "stand-in-user"}}


def test_another_key_is_let_in_nowhere(client: WandbClient, server: WandbServer) -> None:
    """The stand-in answers 401 to a key that is not its own, and the client gives up."""
    outcome = client.script(LOG_ALL, WANDB_API_KEY="f" * 40)
    assert "user is not logged in" in outcome.result["error"]
    assert {status for _, status in server.requests} == {401}
