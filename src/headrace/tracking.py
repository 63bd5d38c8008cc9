"""What a tracker is told of a run: what it read and made, tables and figures, and how it came out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from headrace.core.artifact import Artifact
from headrace.core.lineage import Reference, refer_to_model, refer_to_source
from headrace.core.ports import LakeStore, ObjectInfo, Table, Tracker
from headrace.core.record import RunRecord, StageRecord
from headrace.core.spec import PublishSpec
from headrace.job import Job
from headrace.registry import tag_name

log = logging.getLogger(__name__)

P = ParamSpec("P")

ATTACHED_AT_MOST = 1 << 20  # bytes of a JSON artifact or a table that the tracker gets
VALIDATION, ERRORS, FIGURES, EVALUATION = "validation", "errors", "figures", "evaluation"


def _never_failing(
    tell: Callable[Concatenate[Tracking, P], None],
) -> Callable[Concatenate[Tracking, P], None]:
    """Let trouble in telling a tracker be a warning: a run does not fail for it."""

    @wraps(tell)
    def told(self: Tracking, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            tell(self, *args, **kwargs)
        except Exception as error:
            log.warning("the tracker lacks something: %s: %s", type(error).__name__, error)

    return told


class Tracking:
    """Tells one tracker of one run. Trouble costs the tracker what it was to be told, never the run."""

    def __init__(self, job: Job, tracker: Tracker) -> None:
        self.tracker = tracker
        self._job = job
        self._lake: LakeStore = job.lake
        self._used: set[str] = set()
        self._intervals: dict[str, dict[str, float]] = {}

    @_never_failing
    def start(self, record: RunRecord) -> None:
        """Open the run there, with what it reads in its config: so it is known even where nothing else is."""
        told, digests = self._job.sources_told, self._job.external
        reads = [
            {"uri": uri, "digest": digest, **_version(told[uri])} for uri, digest in sorted(digests.items())
        ]
        lineage = {"run": record.id, "lake_commit": record.source["commit"], "reads": reads}
        self.tracker.start(
            record.id,
            record.experiment,
            {**record.config, "headrace": lineage},
            [record.experiment, record.pipeline],
            self._job.sweep.id if self._job.sweep else None,
            self._job.flow,
        )

    @_never_failing
    def stage_started(self, entry: StageRecord) -> None:
        """Tell of the external inputs that a stage reads, each once."""
        for argument, source in entry.sources.items():
            uri, digest = str(source["uri"]), entry.inputs.get(argument)
            if digest is None or uri in self._used:
                continue  # an alias may name no model yet
            self._used.add(uri)
            if uri.startswith("model:"):
                self.tracker.use(_refer_to_champion(source, digest, self._lake.identity))
            else:
                commit = self._job.sources.commit
                self.tracker.use(refer_to_source(source, digest, self._lake.identity, commit))

    @_never_failing
    def stage_finished(self, entry: StageRecord) -> None:
        """Tell of what a stage made that people look at: JSON, figures, and the worst errors."""
        if not self.tracker.info():
            return  # nobody listens, so nothing is fetched
        for name, artifact in entry.outputs.items():
            self._tell_artifact(name, artifact)

    @_never_failing
    def finish(self, record: RunRecord, commit: str) -> None:
        """Tell how the run came out, the model that it made, and what became of that."""
        spec = self._job.experiment.publish
        made = {name: artifact for entry in record.stages for name, artifact in entry.outputs.items()}
        if spec is not None and spec.package in made:
            self._tell_model(record, spec, made[spec.package])
        if record.state in ("failed", "rejected"):
            verb = "failed" if record.state == "failed" else "was stopped by its gate"
            self.tracker.alert(f"{record.experiment} {verb}", f"{record.id}: {record.error}")
        self.tracker.finish(record.state, self._summary(record, commit))

    def _summary(self, record: RunRecord, commit: str) -> dict[str, Any]:
        version = record.published or record.already or {}
        return {
            "state": record.state,
            **record.metrics,
            **({"interval": self._intervals} if self._intervals else {}),
            **({"gate": "passed" if record.gate["passed"] else "says no"} if record.gate else {}),
            **({"model": version["model"], "version": version["version"]} if version else {}),
            "lake_commit": commit,
        }

    @_never_failing
    def _tell_artifact(self, name: str, artifact: Artifact) -> None:
        about = {"uri": artifact.uri, "digest": artifact.digest}
        if artifact.codec == "figure":
            self.tracker.attach(name, FIGURES, self._files(artifact), about)
        if artifact.bytes > ATTACHED_AT_MOST:
            return
        if artifact.codec == "parquet" and name == ERRORS:
            self.tracker.attach(name, ERRORS, {}, about, {name: self._path(artifact)})
        elif artifact.codec == "json":
            path = self._path(artifact)
            found = json.loads(path.read_bytes()) if name in (VALIDATION, EVALUATION) else None
            if name == EVALUATION:
                self._intervals = _intervals(found)
            tables = {"failures": table} if name == VALIDATION and (table := _failures(found)) else {}
            kind = VALIDATION if name == VALIDATION else "result"
            self.tracker.attach(name, kind, {f"{name}.json": path}, about, tables)

    @_never_failing
    def _tell_model(self, record: RunRecord, spec: PublishSpec, package: Artifact) -> None:
        about = {"run": record.id, "metrics": dict(record.metrics), "state": record.state}
        reference = refer_to_model(spec.model, package, self._lake.identity, about)
        self.tracker.model(reference, lambda: self._files(package))
        if record.published:
            version = int(record.published["version"])
            self.tracker.published(reference, version, [tag_name(spec.model, version), spec.alias])
        elif record.already:
            version = int(record.already["version"])
            alias = [spec.alias] if record.already["alias_version"] == version else []
            self.tracker.published(reference, version, [tag_name(spec.model, version), *alias])

    def _path(self, artifact: Artifact) -> Path:
        return self._lake.local_path(artifact.commit, artifact.path)

    def _files(self, artifact: Artifact) -> dict[str, Path]:
        """Return an artifact's files by their names in it: one file, or a directory's."""
        prefix = f"{artifact.path}/"
        below = [i for i in self._lake.list(artifact.commit, prefix=prefix) if isinstance(i, ObjectInfo)]
        if not below:
            return {artifact.path.rpartition("/")[2]: self._path(artifact)}
        paths = self._lake.local_paths(artifact.commit, below)
        return {info.path.removeprefix(prefix): path for info, path in zip(below, paths, strict=True)}


def _version(source: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": source["version"]} if "version" in source else {}


def _refer_to_champion(source: Mapping[str, Any], digest: str, identity: str) -> Reference:
    name = str(source["uri"]).removeprefix("model:").partition("@")[0].partition("/")[0]
    package = Artifact(digest=digest, bytes=source["bytes"], codec="", uri=source["artifact"])
    return refer_to_model(name, package, identity, {"version": source["version"]})


def _failures(report: Any) -> Table | None:
    """Return the failed checks of a validation report with their examples, a row for each."""
    counted = report.get("failures") if isinstance(report, Mapping) else None
    if not isinstance(counted, list):
        return None
    rows = [
        [entry["column"], entry["check"], entry["count"], example["row"], _shown(example["value"])]
        for entry in counted
        for example in entry.get("examples", ())
    ]
    return Table(columns=["column", "check", "count", "row", "value"], rows=rows) if rows else None


def _shown(value: Any) -> str | None:
    """Return a value as text: a column of a table holds one type."""
    return None if value is None else str(value)


def _intervals(evaluation: Any) -> dict[str, dict[str, float]]:
    """Return by metric the ends of its interval, where there is one."""
    entries = evaluation.get("metrics") if isinstance(evaluation, Mapping) else None
    if not isinstance(entries, Mapping):
        return {}
    return {
        name: {"low": entry["low"], "high": entry["high"]}
        for name, entry in entries.items()
        if isinstance(entry, Mapping) and entry.get("low") is not None and entry.get("high") is not None
    }
