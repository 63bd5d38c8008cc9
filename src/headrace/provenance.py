"""Where a published model comes from, in files that stay beside it wherever it is copied to."""

from __future__ import annotations

import json
from typing import Any

from headrace.core.key import python_version
from headrace.core.package import CARD, LINEAGE
from headrace.core.ports import LakeReader
from headrace.core.record import RunRecord
from headrace.core.report import Section


def describe_origin(record: RunRecord, lake: LakeReader, model: str) -> dict[str, bytes]:
    """Return the model card and the run's lineage, by the names of their files."""
    from headrace.reports.artifacts import Artifacts
    from headrace.reports.markdown import section_markdown
    from headrace.reports.model_card import model_card

    blocks = tuple(model_card(Artifacts(record, lake)))
    lines = [f"# {model}", "", f"Made by run {record.id} of the experiment {record.experiment}.", ""]
    lines += section_markdown(Section("card", blocks))
    lineage = json.dumps(lineage_of(record), indent=1, ensure_ascii=False)
    return {CARD: ("\n".join(lines) + "\n").encode(), LINEAGE: (lineage + "\n").encode()}


def lineage_of(record: RunRecord) -> dict[str, Any]:
    """Return what a run read, with which code, and what it made: enough to find and repeat it."""
    stages = [
        {
            "name": stage.name,
            "key": stage.key,
            "inputs": dict(stage.inputs),
            "sources": {name: source["uri"] for name, source in stage.sources.items()},
            "outputs": {name: artifact.digest for name, artifact in stage.outputs.items()},
        }
        for stage in record.stages
    ]
    return {
        "run": record.id,
        "experiment": record.experiment,
        "command": record.command,
        "started": record.started,
        "seed": record.seed,
        "git": record.git,
        "packages": list_packages(record),
        "source": record.source,
        "stages": stages,
        "metrics": dict(record.metrics),
        "gate": record.gate,
        "prefect": record.prefect,
        "wandb": record.wandb.get("id"),
        "sweep": record.sweep,
    }


def list_packages(record: RunRecord) -> dict[str, str]:
    """Return the versions of Python and of the packages that the code of the run's stages imports."""
    found: dict[str, str] = {"python": python_version()}
    for stage in record.stages:
        found.update((stage.key_parts or {}).get("packages", {}))
    return dict(sorted(found.items()))
