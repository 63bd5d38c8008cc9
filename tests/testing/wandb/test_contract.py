"""One script of the real client, against the stand-in and, where a key is given, against W&B itself.

Everything is read back through the client. Against W&B it leaves a run, its artifacts and a portfolio in the
project `headrace-contract` of the key's default entity:

    HEADRACE_TEST_WANDB_KEY=... pytest tests/testing/wandb/test_contract.py
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.testing.wandb import WandbServer
from tests.wandb_client import Service, WandbClient

KEY = "HEADRACE_TEST_WANDB_KEY"
URL = "HEADRACE_TEST_WANDB_URL"
PROJECT = "headrace-contract"

WRITE = """
    with open_run(ID, PROJECT, group="contract", job_type="test", tags=["headrace"],
                  config={"lr": 0.5}, resume="allow") as run:
        data = wandb.Artifact("data", type="dataset", metadata={"commit": ID})
        data.add_reference(f"lakefs://repo/{ID}/rows.parquet", name="rows.parquet", checksum=False)
        run.use_artifact(data, aliases=[ID])
        for step in range(3):
            run.log({"loss": 1 / (step + 1)})
        model = wandb.Artifact("model", type="model")
        model.add_file(write("weights.txt", ID))
        run.log_artifact(model, aliases=["candidate"]).wait()
        run.alert("Contract", "a test of headrace")
        run.summary["accuracy"] = 0.75
    api = wandb.Api()
    again = api.run(f"{PROJECT}/{ID}")
    again.tags.append("late")
    again.config["more"] = 1
    again.update()
    model = api.artifact(f"{PROJECT}/model:candidate", type="model")
    model.aliases.append(ID)
    model.aliases.remove("candidate")
    model.save()
    model.link(f"{PROJECT}/shelf", aliases=["chosen"])
"""
READ = """
    run = api.run(f"{PROJECT}/{ID}")
    data = api.artifact(f"{PROJECT}/data:{ID}", type="dataset")
    model = api.artifact(f"{PROJECT}/model:{ID}", type="model")
    folder = model.download("downloaded")
    tell(
        run=[run.state, run.group, run.job_type, run.tags, run.config, run.summary["accuracy"]],
        history=[row["loss"] for row in run.scan_history(keys=["loss"])],
        inputs=[a.metadata["commit"] for a in run.used_artifacts()],
        outputs=[a.id == model.id for a in run.logged_artifacts()],
        references={name: entry.ref for name, entry in data.manifest.entries.items()},
        aliases=sorted(model.aliases),
        made_by=model.logged_by().id,
        used_by=[user.id for user in data.used_by()],
        link=api.artifact(f"{PROJECT}/shelf:chosen").source_name == model.source_name,
        content=open(folder + "/weights.txt").read(),
        missing=api.artifact_exists(f"{PROJECT}/model:none"),
    )
"""
REPORT = """
    import wandb_workspaces.reports.v2 as wr

    report = wr.Report(project=PROJECT, title=ID, blocks=[wr.MarkdownBlock("**text**")])
    first = report.save().id
    report.description = "again"
    same = report.save().id == first
    read = wr.Report.from_url(report.url)
    link = report.enable_share_link()
    shared = report.get_share_url() == link
    report.disable_share_link()
    tell(same=same, read=[read.title, read.description], shared=shared, after=report.get_share_url(),
         deleted=report.delete())
"""


@dataclass(frozen=True)
class RealService:
    """W&B itself, with the key that the environment gives."""

    environment: Mapping[str, str]


@pytest.fixture(params=["stand-in", "service"])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    """The stand-in, then W&B."""
    if request.param == "stand-in":
        with WandbServer() as server:
            yield server
            assert server.complaints == []
        return
    if not os.environ.get(KEY):
        pytest.skip(f"talks to W&B where {KEY} holds a key")
    url = os.environ.get(URL, "https://api.wandb.ai")
    yield RealService({"WANDB_API_KEY": os.environ[KEY], "WANDB_BASE_URL": url, "WANDB_MODE": "online"})


def test_a_client_reads_back_what_it_wrote(service: Service, tmp_path: Path) -> None:
    """Runs, lineage, aliases, links, files and reports are the same for the client on both sides."""
    name = f"c{uuid.uuid4().hex[:12]}"
    client = WandbClient(service, tmp_path)
    head = f"ID, PROJECT = {name!r}, {PROJECT!r}\n"

    outcome = client.script(WRITE + READ + REPORT, head=head)
    assert outcome.code == 0, outcome.output
    assert outcome.result == {
        "run": ["finished", "contract", "test", ["headrace", "late"], {"lr": 0.5, "more": 1}, 0.75],
        "history": [1.0, 0.5, 1 / 3],
        "inputs": [name],
        "outputs": [True],
        "references": {"rows.parquet": f"lakefs://repo/{name}/rows.parquet"},
        "aliases": [name, "latest"],
        "made_by": name,
        "used_by": [name],
        "link": True,
        "content": name,
        "missing": False,
        "same": True,
        "read": [name, "again"],
        "shared": True,
        "after": None,
        "deleted": True,
    }
