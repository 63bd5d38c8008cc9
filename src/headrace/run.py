"""One run, from its branch to publish."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any
from uuid import uuid4

from headrace.challenge import read_models
from headrace.context import Display
from headrace.core.artifact import Artifact
from headrace.core.plan import Plan
from headrace.core.record import RunRecord, StageRecord, UnreadableRecord
from headrace.errors import GateRejected, HeadraceError, ObjectDamaged, ObjectNotFound, Pruned
from headrace.execute import Workbench
from headrace.job import Job
from headrace.provenance import describe_origin, list_packages
from headrace.publish import publish_run
from headrace.stage_loop import StageLoop
from headrace.tracking import Tracking


def run_job(job: Job, plan: Plan, display: Display) -> RunRecord:
    """Run what the plan says is to run, and publish. Returns the record, whatever the outcome.

    Stage failures, a gate that says no, pruning and interrupts end in the record (`state`, `error`); other
    errors are raised after the record says that the run failed.
    """
    return _Run(job, plan, display).go()


def new_run_id() -> str:
    """Return an id that sorts by time, to the millisecond, and is unlikely to be drawn twice."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03x}{uuid4().hex[:4]}"


class Interrupts:
    """While open, SIGINT and SIGTERM raise `KeyboardInterrupt`, and `fired` remembers that they came.

    Libraries turn an interrupt that hits them at a bad moment into some other error.
    """

    def __init__(self) -> None:
        self.fired = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = {s: signal.signal(s, self._fire) for s in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _fire(self, number: int, frame: FrameType | None) -> None:
        self.fired = True
        raise KeyboardInterrupt


class _Run:
    def __init__(self, job: Job, plan: Plan, display: Display) -> None:
        self.job = job
        self.plan = plan
        self.display = display
        self.started = time.perf_counter()
        self.runtime = job.runtime()
        self.tracking = Tracking(job, job.tracker())
        self.record = _new_record(job)

    def go(self) -> RunRecord:
        self._bury_the_dead()
        interrupts = Interrupts()
        try:
            with interrupts, self.job.scratch.open(self.record.id) as scratch:
                self._start()
                name = f"{self.record.experiment} {self.record.id}"
                parameters = {"overrides": list(self.job.overrides)}
                plan = self.plan.to_markdown()
                self.runtime.run(name, lambda: self._body(scratch), parameters, plan)
            self.record.state = "succeeded"
        except BaseException as error:
            self._end(error, interrupts.fired)
            expected = isinstance(error, HeadraceError | KeyboardInterrupt)
            if not expected and not interrupts.fired:
                raise
        finally:
            self._finish()
        return self.record

    def _bury_the_dead(self) -> None:
        """Tell in their records that runs were killed, and remove what they left."""
        for run_id in self.job.scratch.sweep():
            with suppress(UnreadableRecord):
                record = self.job.records.read(run_id)
                if record.state == "running":
                    record.state, record.error = "interrupted", "killed"
                    self.job.records.write(record)

    def _start(self) -> None:
        record = self.record
        self._save()
        self.tracking.start(record)
        record.wandb = self.tracking.tracker.info()
        self.job.lake.create_branch(record.branch, self.job.source_commit)
        record.git = self.job.git_state(self.job.records.folder(record.id))
        record.machine = self.job.machine_state()
        self._save()
        self.display.run_started(record, len(self.job.graph.order))

    def _end(self, error: BaseException, interrupted: bool) -> None:
        """Write into the record how the run ended. What is published stays published."""
        record = self.record
        if record.published is not None:
            record.state = "succeeded"
            return
        if interrupted or isinstance(error, KeyboardInterrupt):
            record.state, record.error = "interrupted", "interrupted"
        elif isinstance(error, GateRejected):
            record.state, record.error = "rejected", str(error)
        elif isinstance(error, Pruned):
            record.state, record.error = "pruned", str(error)
        else:
            said = str(error) if isinstance(error, HeadraceError) else f"{type(error).__name__}: {error}"
            record.state, record.error = "failed", self.job.redact(said)
        for entry in record.stages:
            if entry.state == "running":
                entry.state, entry.reason = "failed", record.error
        reached = {entry.name for entry in record.stages}
        missing = [spec.name for spec in self.job.graph.order if spec.name not in reached]
        record.stages += [StageRecord(name=name, state="skipped") for name in missing]

    def _body(self, scratch: Path) -> None:
        self.record.prefect = self.runtime.info()
        bench = Workbench(
            run_id=self.record.id,
            lake=self.job.lake,
            codecs=self.job.codecs(),
            sources=self.job.sources,
            scratch=scratch,
            commit_metadata=_metadata(self.record),
        )
        loop = StageLoop(self.job, self.plan, self.record, bench, self.runtime, self.tracking, self.display)
        self._publish(loop.run())

    def _publish(self, made: dict[str, Artifact]) -> None:
        spec = self.job.experiment.publish
        if spec is None:
            return
        self.record.state = "succeeded"
        self.record.seconds = self._seconds()
        key = self._key_of(spec.package)
        try:
            outcome = publish_run(
                self.job.lake,
                self.record.id,
                spec,
                made[spec.package],
                self.record.metrics,
                self._record_bytes(),
                {"key": key, **_metadata(self.record)},
                read_models(self.job.sources_told),
                beside=describe_origin(self.record, self.job.lake, spec.model),
            )
        except (ObjectDamaged, ObjectNotFound):
            self.job.cache.forget(key)  # the same command then makes the package anew
            raise
        self.record.published, self.record.already = outcome.new, outcome.already

    def _key_of(self, artifact: str) -> str:
        key = next(stage.key for stage in self.record.stages if artifact in stage.outputs)
        assert key is not None  # its stage has run
        return key

    def _finish(self) -> None:
        record = self.record
        record.seconds = self._seconds()
        record.packages = list_packages(record)
        self._save()
        with suppress(KeyboardInterrupt):  # what was to be recorded is; only the tracker's copy may lag
            self.tracking.finish(record, self._commit_id())
        record.wandb = self.tracking.tracker.info()
        self._save()
        if record.published is None:
            self._commit_record()
        self.display.close()

    def _commit_id(self) -> str:
        return self.record.published["commit"] if self.record.published else self.job.source_commit

    def _commit_record(self) -> None:
        path = f"runs/{self.record.id}/run.json"
        try:
            self.job.lake.put(self.record.branch, path, self._record_bytes())
            message = f"{self.record.state}: run {self.record.id}"
            metadata = {"run": self.record.id, **_metadata(self.record)}
            self.job.lake.commit(self.record.branch, message, metadata)
        except HeadraceError as error:
            self.display.note(f"the record is only in {self.job.records.file(self.record.id)}: {error}")

    def _record_bytes(self) -> bytes:
        return self.job.records.to_text(self.record).encode()

    def _save(self) -> None:
        self.job.records.write(self.record)

    def _seconds(self) -> float:
        return round(time.perf_counter() - self.started, 3)


def _metadata(record: RunRecord) -> dict[str, str]:
    """Return the commit metadata that leads from the lake to everything else."""
    found = {
        "experiment": record.experiment,
        "git_commit": record.git.get("commit"),
        "prefect_flow_run": record.prefect.get("flow_run_id"),
        "wandb": record.wandb.get("id"),
    }
    return {name: str(value) for name, value in found.items() if value}


def _new_record(job: Job) -> RunRecord:
    experiment = job.experiment
    dataset = experiment.config.get("dataset") or {}
    at = dataset.get("at")
    return RunRecord(
        id=new_run_id(),
        experiment=experiment.name,
        pipeline=experiment.pipeline,
        command=job.command,
        state="running",
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=0.0,
        seed=experiment.seed,
        config=dict(experiment.config),
        git={},
        packages={},
        source={
            "dataset": dataset.get("name"),
            "ref": experiment.source_ref if at is None else at,
            "commit": job.sources.commit,
            "base": job.source_commit,
        },
        resume=job.resume,
        sweep=job.sweep.to_json() if job.sweep else None,
    )
