"""Publish a run that is no version yet: a job of a sweep, one that was not to publish, a rejected one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from headrace.adapters.record_files import RunRecords
from headrace.challenge import read_models
from headrace.core.artifact import Artifact
from headrace.core.ports import MAIN, LakeReader, LakeStore
from headrace.core.record import RunRecord, UnreadableRecord, branch_of, parse_record
from headrace.core.spec import PublishSpec
from headrace.errors import ModelNotFound, ObjectNotFound, RefNotFound, RunNotFound, WrongWord
from headrace.execute import artifact_is_there
from headrace.provenance import describe_origin
from headrace.publish import Outcome, publish_run
from headrace.registry import Move

PACKAGE = "model"  # the artifact, where the run's config does not name another


def read_lake_record(lake: LakeReader, run_id: str) -> RunRecord:
    """Read a run's record from its branch, or from `main` where it was published. Raises `RunNotFound`."""
    for ref in (branch_of(run_id), MAIN):
        try:
            with lake.open(ref, f"runs/{run_id}/run.json") as file:
                return parse_record(json.load(file))
        except (RefNotFound, ObjectNotFound):
            continue
        except (UnreadableRecord, ValueError) as error:
            raise RunNotFound(f"the record of run {run_id} in the lake cannot be read: {error}") from error
    raise RunNotFound(f"there is no run {run_id!r} here, nor in the lake; see: headrace runs")


def find_package(record: RunRecord, model: str) -> Artifact:
    """Return the package that a run made. Raises `WrongWord` for another model's, else `ModelNotFound`."""
    publish = record.config.get("publish")
    spec: Mapping[str, Any] = publish if isinstance(publish, Mapping) else {}
    own = str(spec.get("model") or record.experiment)
    if own != model:
        raise WrongWord(f"run {record.id} is of the model {own}, not of {model}; type: model={own}")
    name = str(spec.get("package") or PACKAGE)
    for stage in record.stages:
        if name in stage.outputs:
            return stage.outputs[name]
    if record.state == "running":
        raise ModelNotFound(f"run {record.id} has made no {name} yet")
    command = shlex.join(_alone(record.command))
    raise ModelNotFound(f"run {record.id} ({record.state}) made no {name} to deploy; type: {command}")


def _alone(command: str) -> list[str]:
    """Return a run's command so that it publishes: jobs of a sweep are told not to, and to leave out what
    only a run that publishes needs."""
    return [w for w in shlex.split(command) if not w.startswith(("++publish=", "++leave_out="))]


def publish_late(
    lake: LakeStore, record: RunRecord, model: str, package: Artifact, move: Move, expect: int | None
) -> Outcome:
    """Publish a run's package behind the alias of `move`, version and alias as one merge.

    Raises `ModelNotFound` where the package is gone, and what `publish_run` raises.
    """
    if not artifact_is_there(lake, package):
        found = f"the lake no longer has the package of run {record.id}"
        raise ModelNotFound(f"{found}; to make it again, type: {record.resume}")
    lake.create_branch(record.branch, package.commit, exist_ok=True)
    lake.reset(record.branch)  # what a try that was killed left there
    told = {source["uri"]: source for stage in record.stages for source in stage.sources.values()}
    about = {
        "experiment": record.experiment,
        "deployment": move.deployment,
        "git_commit": record.git.get("commit"),
    }
    return publish_run(
        lake,
        record.id,
        PublishSpec(model=model, package=PACKAGE, gate=None, alias=move.alias),
        package,
        record.metrics,
        _to_bytes(record),
        {name: str(value) for name, value in about.items() if value},
        read_models(told),
        move=move,
        expect=expect,
        beside=describe_origin(record, lake, model),
    )


def _to_bytes(record: RunRecord) -> bytes:
    return (json.dumps(record.to_json(), default=str) + "\n").encode()


def keep_published(records: RunRecords, run_id: str, outcome: Mapping[str, Any]) -> None:
    """Write into the record on this machine, where there is one, which version the run became."""
    try:
        record = records.read(run_id)
    except UnreadableRecord:
        return
    if record.published is None:
        record.published = dict(outcome)
        records.write(record)
