"""A document's blocks as those of `wandb_workspaces`. Only for the process that holds W&B's client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from headrace.adapters.report_wandb.document import IDS_AT_MOST, Block, Place
from headrace.adapters.report_wandb.lineage import Artifact, lineage_text

FULL_WIDTH = 24  # columns of W&B's grid

Lineage = Callable[[Place], list[Artifact]]


def make_blocks(blocks: list[Block], places: Mapping[str, Place], lineage: Lineage) -> list[Any]:
    """Return W&B's blocks.

    Args:
        blocks: those of a document.
        places: where W&B has its runs; those that it does not have are left out.
        lineage: tells what a run used and logged.
    """
    return [made for block in blocks for made in _make(block, places, lineage)]


def _make(block: Block, places: Mapping[str, Place], lineage: Lineage) -> Iterator[Any]:
    import wandb_workspaces.reports.v2 as wr

    match block["block"]:
        case "heading":
            yield wr.H1(text=block["text"])
        case "markdown":
            yield wr.MarkdownBlock(text=block["text"])
        case "grid":
            runsets = list(_runsets(block, places))
            if runsets:
                yield wr.PanelGrid(runsets=runsets, panels=_panels(block["panels"]))
        case "lineage" if block["run"] in places:
            yield from _lineage(places[block["run"]], lineage(places[block["run"]]))


def _runsets(block: Block, places: Mapping[str, Place]) -> Iterator[Any]:
    """Yield the runs of each project: as they are when somebody looks, also those that come later."""
    import wandb_workspaces.reports.v2 as wr

    by_project: dict[tuple[str, str], list[str]] = {}
    for place in (places[run] for run in block["runs"] if run in places):
        by_project.setdefault((place.entity or "", place.project), []).append(place.id)
    for (entity, project), ids in by_project.items():
        if block["group"] and len(ids) > IDS_AT_MOST:
            filters = f"Metric('Group') == {block['group']!r}"
        else:
            filters = f"Metric('ID') in {ids!r}"
        yield wr.Runset(entity=entity, project=project, name="Runs", filters=filters)


def _panels(panels: list[Block]) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    made = []
    top = 0
    for panel in panels:
        height = 10 if panel["panel"] in ("comparer", "parallel") else 8
        layout = wr.Layout(x=0, y=top, w=FULL_WIDTH, h=height)
        made.append(_panel(panel, layout))
        top += height
    return made


def _panel(panel: Block, layout: Any) -> Any:
    import wandb_workspaces.reports.v2 as wr

    match panel["panel"]:
        case "comparer":
            return wr.RunComparer(diff_only="split" if panel["only_differences"] else None, layout=layout)
        case "bars":
            return wr.BarPlot(title="Metrics", metrics=list(panel["metrics"]), layout=layout)
        case "importance":
            return wr.ParameterImportancePlot(with_respect_to=panel["metric"], layout=layout)
        case "parallel":
            params = [
                wr.ParallelCoordinatesPlotColumn(metric=wr.Config(name), log=log or None)
                for name, log in panel["params"].items()
            ]
            ends = [
                wr.ParallelCoordinatesPlotColumn(metric=wr.SummaryMetric(name))
                for name in panel["objectives"]
            ]
            return wr.ParallelCoordinatesPlot(columns=[*params, *ends], layout=layout)
    raise ValueError(f"no such panel: {panel['panel']}")


def _lineage(place: Place, artifacts: list[Artifact]) -> Iterator[Any]:
    import wandb_workspaces.reports.v2 as wr

    if not artifacts:
        return
    yield wr.H1(text="Artifacts")
    yield wr.MarkdownBlock(text=lineage_text(artifacts))
    for artifact in artifacts:
        if tab := artifact.shown_as:
            yield wr.WeaveBlockArtifact(
                entity=place.entity or "", project=place.project, artifact=artifact.name, tab=tab
            )
