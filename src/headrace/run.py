"""One run, from its branch to publish."""

from __future__ import annotations

import json
import queue
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from headrace.adapters.record_files import RunRecords
from headrace.adapters.source_files import Sources
from headrace.context import Display, StageContext
from headrace.core.artifact import Artifact
from headrace.core.graph import Graph
from headrace.core.key import Key, python_version
from headrace.core.plan import Plan, StagePlan, StageResult, State, input_digests, name_outputs, plan_stage
from headrace.core.ports import Codec, LakeStore, Runtime, StageCache, StageFuture, StageTask, Tracker
from headrace.core.record import RunRecord, StageRecord, StageState
from headrace.core.signature import Signature
from headrace.core.spec import Experiment, StageSpec
from headrace.errors import GateRejected, HeadraceError, StageFailed
from headrace.execute import Workbench, execute_stage
from headrace.publish import publish_run

METRICS = "metrics"  # the artifact whose figures are the run's metrics
ATTACHED_AT_MOST = 1 << 20  # bytes of a JSON artifact that the tracker gets


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An experiment with everything that running it takes. The callables build on first need."""

    experiment: Experiment
    graph: Graph
    signatures: Mapping[str, Signature]
    source_commit: str
    external: Mapping[str, str]  # digest by URI
    before: Mapping[str, Mapping[str, Any]]  # key parts of the last comparable run by stage
    make_key: Callable[[StageSpec, Mapping[str, str]], Key]
    find_result: Callable[[StageSpec, Key], StageResult | None]
    lake: LakeStore
    cache: StageCache
    sources: Sources
    records: RunRecords
    root: Path
    command: str
    resume: str
    overrides: Sequence[str]
    codecs: Callable[[], Sequence[Codec]]
    tracker: Callable[[], Tracker]
    runtime: Callable[[], Runtime]
    git_state: Callable[[], dict[str, Any]]


def run_job(job: Job, plan: Plan, display: Display) -> RunRecord:
    """Run what the plan says is to run, and publish. Returns the record, whatever the outcome.

    Stage failures, a gate that says no and interrupts end in the record (`state`, `error`); other
    errors are raised after the record says that the run failed.
    """
    return _Run(job, plan, display).go()


def new_run_id() -> str:
    """Return an id that sorts by time and is unlikely to be drawn twice."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid4().hex[:6]}"


class _Run:
    def __init__(self, job: Job, plan: Plan, display: Display) -> None:
        self.job = job
        self.plan = plan
        self.display = display
        self.started = time.perf_counter()
        self.runtime = job.runtime()
        self.tracker = job.tracker()
        self.record = _new_record(job)
        self.made: dict[str, Artifact] = {}
        self.bench = Workbench(
            run_id=self.record.id,
            lake=job.lake,
            codecs=job.codecs(),
            sources=job.sources,
            scratch=job.root / "scratch" / self.record.id,
            commit_metadata={"experiment": job.experiment.name},
        )

    def go(self) -> RunRecord:
        record = self.record
        try:
            self._save()
            tags = [record.experiment, record.pipeline]
            self.tracker.start(record.id, record.experiment, record.config, tags)
            self.job.lake.create_branch(record.branch, self.job.source_commit)
            record.git = self.job.git_state()
            self.display.run_started(record, len(self.job.graph.order))
            name = f"{record.experiment} {record.id}"
            parameters = {"overrides": list(self.job.overrides)}
            self.runtime.run(name, self._body, parameters, self.plan.to_markdown())
            record.state = "succeeded"
        except GateRejected as error:
            self._end("rejected", str(error))
        except KeyboardInterrupt:
            self._end("interrupted", "interrupted")
        except HeadraceError as error:
            self._end("failed", str(error))
        except BaseException as error:
            self._end("failed", f"{type(error).__name__}: {error}")
            raise
        finally:
            self._finish()
        return record

    def _end(self, state: Any, error: str) -> None:
        self.record.state = state
        self.record.error = error
        self.record.published = None
        for entry in self.record.stages:
            if entry.state == "running":
                entry.state = "failed"
                entry.reason = error

    def _body(self) -> None:
        self.record.prefect = self.runtime.info()
        self._run_stages()
        self._publish()

    # --- stages ---------------------------------------------------------------------------------

    def _run_stages(self) -> None:
        """Start each stage when its inputs are there; after a failure start no more, and wait."""
        waiting = list(self.job.graph.order)
        running: dict[str, StageSpec] = {}
        done: queue.SimpleQueue[tuple[str, StageFuture]] = queue.SimpleQueue()
        failure: BaseException | None = None
        while (waiting and failure is None) or running:
            ready = [s for s in waiting if self._digests(s) is not None] if failure is None else []
            alone = len(ready) == 1 and not running
            for spec in ready:
                waiting.remove(spec)
                try:
                    future = self._start(spec, alone)
                except GateRejected as error:
                    failure = error
                    break
                if future is None:
                    continue
                running[spec.name] = spec
                if alone:
                    done.put((spec.name, future))
                else:
                    _when_done(future, spec.name, done)
            if not running:
                continue
            name, future = done.get()
            try:
                self._finish_stage(running.pop(name), StageResult.from_json(future.result()))
            except BaseException as error:
                found = self._failed(self.job.experiment.stage(name), error)
                failure = failure or found
        if failure is not None:
            self._skip(waiting)
            raise failure

    def _digests(self, spec: StageSpec) -> dict[str, str] | None:
        return input_digests(spec, self.made, self.job.external)

    def _start(self, spec: StageSpec, alone: bool) -> StageFuture | None:
        """Start a stage and return its future, or None where its result is there already."""
        job = self.job
        digests = self._digests(spec)
        assert digests is not None
        plan = self.plan[spec.name]
        if plan.state is State.MAYBE:
            key = job.make_key(spec, digests)
            plan = plan_stage(spec, key, job.find_result, job.before.get(spec.name))
        assert plan.key is not None
        entry = StageRecord(
            name=spec.name,
            state="running",
            reason=plan.reason,
            key=plan.key.value,
            key_parts=dict(plan.key.parts),
            inputs=digests,
        )
        self.record.stages.append(entry)
        if plan.result is not None:
            self._finish_stage(spec, plan.result)
            return None
        self.display.stage_started(spec.name, plan.reason)
        if spec.cache:
            job.cache.forget(plan.key.value)
        return self.runtime.submit(
            StageTask(
                name=spec.name,
                key=plan.key.value,
                retries=spec.retries,
                retry_delay_seconds=spec.retry_delay_seconds,
                timeout_seconds=spec.timeout_seconds,
                cache=spec.cache,
                alone=alone,
                execute=lambda: self._execute(spec, plan, entry),
            )
        )

    def _execute(self, spec: StageSpec, plan: StagePlan, entry: StageRecord) -> dict[str, Any]:
        """Execute one stage; of several processes that want the same key, one executes at a time."""
        job = self.job
        key = plan.key
        assert key is not None
        entry.attempts += 1
        workdir = job.root / "checkpoints" / key.value
        context = StageContext(spec.name, job.experiment.seed, workdir, self.tracker, self.display)
        inputs = {arg: self.made[name] for arg, name in spec.artifact_inputs().items()}
        with job.cache.lock(key.value):
            found = job.find_result(spec, key) if spec.cache else None
            if found is not None:
                return found.to_json()
            workdir.mkdir(parents=True, exist_ok=True)
            result = execute_stage(self.bench, spec, key, inputs, job.signatures[spec.name], context)
            if spec.cache:
                job.cache.put(key.value, result.to_json())
        shutil.rmtree(workdir, ignore_errors=True)
        return result.to_json()

    def _finish_stage(self, spec: StageSpec, result: StageResult) -> None:
        entry = self._entry(spec.name)
        entry.state = "ran" if result.run == self.record.id else "cached"
        entry.seconds = result.seconds if entry.state == "ran" else 0.0
        entry.outputs = name_outputs(spec, result)
        self.made.update(entry.outputs)
        self._read_figures(entry)
        self._save()
        self.display.stage_finished(entry)
        publish = self.job.experiment.publish
        if publish is not None and publish.gate in entry.outputs:
            self._ask_gate(entry.outputs[publish.gate])

    def _read_figures(self, entry: StageRecord) -> None:
        for name, artifact in entry.outputs.items():
            if artifact.codec != "json" or artifact.bytes > ATTACHED_AT_MOST:
                continue
            path = self.job.lake.local_path(artifact.commit, artifact.path)
            self.tracker.attach(name, entry.name, {f"{name}.json": path}, {"uri": artifact.uri})
            if name == METRICS:
                values = json.loads(path.read_bytes())
                self.record.metrics = {k: v for k, v in values.items() if isinstance(v, int | float)}
                self.tracker.log(self.record.metrics)

    def _ask_gate(self, artifact: Artifact) -> None:
        verdict = json.loads(self.job.lake.local_path(artifact.commit, artifact.path).read_bytes())
        self.record.gate = verdict
        if not verdict["passed"]:
            failed = [check for check in verdict["checks"] if not check["passed"]]
            lines = "".join(
                f"\n  - {c['metric']}: found {c['found']}, wanted {c['rule']} {c['wanted']}" for c in failed
            )
            raise GateRejected(f"the gate says no, nothing is published{lines}")

    def _failed(self, spec: StageSpec, error: BaseException) -> BaseException:
        entry = self._entry(spec.name)
        if isinstance(error, GateRejected) and entry.outputs:
            return error
        entry.state = "failed"
        entry.reason = f"{type(error).__name__}: {error}"
        self.display.stage_finished(entry)
        if not isinstance(error, Exception):
            return error
        failure = StageFailed(spec.name, error)
        failure.__cause__ = error
        return failure

    def _skip(self, waiting: Sequence[StageSpec]) -> None:
        state: StageState = "skipped"
        self.record.stages += [StageRecord(name=spec.name, state=state) for spec in waiting]

    def _entry(self, name: str) -> StageRecord:
        return next(entry for entry in self.record.stages if entry.name == name)

    # --- the end --------------------------------------------------------------------------------

    def _publish(self) -> None:
        spec = self.job.experiment.publish
        if spec is None:
            return
        self.record.state = "succeeded"
        self.record.seconds = self._seconds()
        self.record.published = publish_run(
            self.job.lake,
            self.record.id,
            spec,
            self.made[spec.package],
            self.record.metrics,
            self._record_bytes(),
            _metadata(self.record),
        )

    def _finish(self) -> None:
        record = self.record
        record.seconds = self._seconds()
        summary = {"state": record.state, **record.metrics, "lake_commit": self._commit_id()}
        self.tracker.finish(record.state, summary)
        record.wandb = self.tracker.info()
        record.packages = _packages(record)
        self._save()
        if record.published is None:
            self._commit_record()
        shutil.rmtree(self.bench.scratch, ignore_errors=True)
        self.display.close()

    def _commit_id(self) -> str:
        return self.record.published["commit"] if self.record.published else self.job.source_commit

    def _commit_record(self) -> None:
        path = f"runs/{self.record.id}/run.json"
        try:
            self.job.lake.put(self.record.branch, path, self._record_bytes())
            message = f"{self.record.state}: run {self.record.id}"
            self.job.lake.commit(self.record.branch, message, _metadata(self.record))
        except HeadraceError as error:
            self.display.note(f"the record is only in {self.job.records.file(self.record.id)}: {error}")

    def _record_bytes(self) -> bytes:
        return self.job.records.to_text(self.record).encode()

    def _save(self) -> None:
        self.job.records.write(self.record)

    def _seconds(self) -> float:
        return round(time.perf_counter() - self.started, 3)


def _when_done(future: StageFuture, name: str, done: queue.SimpleQueue[tuple[str, StageFuture]]) -> None:
    """Put the future on the queue when it is done, waiting for it in a thread of its own."""

    def wait() -> None:
        with suppress(BaseException):  # whoever takes it from the queue asks again, and raises
            future.result()
        done.put((name, future))

    threading.Thread(target=copy_context().run, args=(wait,), daemon=True).start()


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
            "ref": experiment.source_ref,
            "commit": job.source_commit,
        },
        resume=job.resume,
    )


def _packages(record: RunRecord) -> dict[str, str]:
    found: dict[str, str] = {"python": python_version()}
    for stage in record.stages:
        found.update((stage.key_parts or {}).get("packages", {}))
    return dict(sorted(found.items()))
