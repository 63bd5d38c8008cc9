"""A strict stand-in for W&B's server, for tests. It is not W&B.

    with WandbServer() as server:
        ...  # drive the real client with server.environment
        assert server.store.run("my-run").state == "finished"
        assert server.complaints == []

W&B publishes neither its server's schema nor its routes. What is here was learned from the requests of
the client (wandb 0.31 and wandb-workspaces 0.4), and answers them: runs with history, summary, config,
files and alerts; artifacts with files and references, their aliases, lineage and links; reports and their
share links. Every query is checked against `schema.graphql`, and the answer holds the fields that it
selects. An operation, field, argument, route or key that the stand-in does not know is an error, and is
kept in `complaints`: a test that uses the server asserts that there are none.

It is stricter than W&B where a mistake would lose data: an upload needs the MD5 that was declared for it,
and a commit needs a manifest with the artifact's digest and every file of it.

What it does not keep: users and rights, W&B's filters and sorting, sweeps, launch, automations, parts of
large uploads, incremental artifacts, deletion, and any durability. Where the real service behaves in
another way than the client's code shows, the stand-in cannot know it: a smoke test with a real key
(`HEADRACE_TEST_WANDB_KEY`) runs the same contract there.
"""

from headrace.testing.wandb.faults import Fault
from headrace.testing.wandb.server import WandbServer
from headrace.testing.wandb.store import Account, Store

__all__ = ["Account", "Fault", "Store", "WandbServer"]
