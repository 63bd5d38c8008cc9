"""Reports of wandb-workspaces, as they arrive at the stand-in."""

from __future__ import annotations

from headrace.testing.wandb import WandbServer
from tests.wandb_client import WandbClient


def test_a_report_is_saved_again_shared_and_unshared(client: WandbClient, server: WandbServer) -> None:
    """A second save updates the same report; its link is one token until it is revoked."""
    outcome = client.script("""
        import wandb_workspaces.reports.v2 as wr

        with open_run() as run:
            run.log({"loss": 1})
        runs = wr.Runset(project="demo", entity=run.entity)
        grid = wr.PanelGrid(runsets=[runs], panels=[
            wr.LinePlot(x="Step", y=["loss"]), wr.RunComparer(), wr.ParallelCoordinatesPlot(),
            wr.ParameterImportancePlot("loss"),
        ])
        report = wr.Report(project="demo", title="One", blocks=[wr.MarkdownBlock("**text**"), grid])
        report.save()
        report.title = "Two"
        report.save()
        link = report.enable_share_link()
        again = wr.Report.from_url(report.url)
        again.description = "more"
        again.save()
        tell(listed=[view.id for view in wandb.Api().reports("demo")])
        tell(link=link, same=report.enable_share_link() == link, title=again.title, id=report.id)
        wr.Report(project="other", title="Kept shared").save().enable_share_link()
        report.disable_share_link()
    """)
    assert outcome.code == 0, outcome.output
    report, other = server.store.reports
    assert (report.id, report.display_name, report.description) == (outcome.result["id"], "Two", "more")
    assert (report.saves, report.project.name, other.project.name) == (3, "demo", "other")
    assert outcome.result["same"]
    assert outcome.result["listed"] == [report.id]
    assert outcome.result["title"] == "Two"
    assert {block["type"] for block in report.blocks} >= {"markdown-block", "panel-grid"}
    assert [token.token for token in report.access_tokens] == [
        outcome.result["link"].partition("accessToken=")[2]
    ]
    assert report.active_tokens == []
    assert len(other.active_tokens) == 1
