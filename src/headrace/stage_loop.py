"""The stages of one run: each starts when its inputs are there, side by side where the graph allows it."""

from __future__ import annotations

import json
import queue
import shutil
import threading
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from headrace.cached import METRICS, figures, find_gate
from headrace.context import Display, StageContext
from headrace.core.artifact import Artifact
from headrace.core.gate_line import failed_line
from headrace.core.plan import Plan, StagePlan, StageResult, input_digests, name_outputs
from headrace.core.ports import Runtime, StageFuture, StageTask
from headrace.core.record import RunRecord, StageRecord
from headrace.core.spec import Experiment, StageSpec
from headrace.errors import GateRejected, ObjectDamaged, ObjectNotFound, Pruned, StageError, StageFailed
from headrace.execute import Workbench, execute_stage
from headrace.job import Job
from headrace.tracking import ATTACHED_AT_MOST, Tracking

Done = queue.SimpleQueue[tuple[str, StageFuture]]


class StageLoop:
    """Runs the stages of a job, and writes into the record what becomes of each."""

    def __init__(
        self,
        job: Job,
        plan: Plan,
        record: RunRecord,
        bench: Workbench,
        runtime: Runtime,
        tracking: Tracking,
        display: Display,
    ) -> None:
        self.made: dict[str, Artifact] = dict(job.given)
        self._job = job
        self._plan = plan
        self._record = record
        self._bench = bench
        self._runtime = runtime
        self._tracking = tracking
        self._display = display
        self._gate = _find_gate(job.experiment)
        self._barred: set[str] = set()  # stages after a gate that said no, in a run that publishes nothing

    def run(self) -> dict[str, Artifact]:
        """Run every stage and return the artifacts by name.

        After a failure no stage is started any more, those that run are waited for, and the first
        failure is raised: `StageFailed`, `GateRejected` for a gate that says no, or `Pruned`. Where
        nothing is to be published, such a gate only bars what comes after it.
        """
        waiting = list(self._job.graph.order)
        running: set[str] = set()
        done: Done = queue.SimpleQueue()
        failure: BaseException | None = None
        while (waiting and failure is None) or running:
            ready = [s for s in waiting if self._digests(s) is not None] if failure is None else []
            alone = len(ready) == 1 and not running
            hits = 0
            for spec in ready:
                waiting.remove(spec)
                try:
                    future = self._start(spec, alone)
                except Exception as error:
                    failure = self._failed(spec, error)
                    break
                if future is None:
                    hits += 1
                    continue
                running.add(spec.name)
                _tell_when_done(future, spec.name, done, at_once=alone)
            if running and not hits:  # a hit may have made more stages ready
                failed = self._finish_one(done, running)
                failure = failure or failed
            waiting = self._pass_over_barred(waiting)
        if failure is not None:
            self._record.stages += [StageRecord(name=spec.name, state="skipped") for spec in waiting]
            raise failure
        return self.made

    def _pass_over_barred(self, waiting: list[StageSpec]) -> list[StageSpec]:
        """Record as skipped what a gate bars, and return the others."""
        for spec in waiting:
            if spec.name in self._barred:
                entry = StageRecord(name=spec.name, state="skipped", reason="the gate says no")
                self._record.stages.append(entry)
                self._display.stage_finished(entry)
        return [spec for spec in waiting if spec.name not in self._barred]

    def _digests(self, spec: StageSpec) -> dict[str, str] | None:
        return input_digests(spec, self.made, self._job.external)

    def _start(self, spec: StageSpec, alone: bool) -> StageFuture | None:
        """Start a stage and return its future, or None where its result is there already."""
        told = self._job.sources_told
        entry = StageRecord(
            name=spec.name,
            state="running",
            inputs=self._digests(spec) or {},
            sources={arg: dict(told[uri]) for arg, uri in spec.external_inputs().items()},
        )
        self._record.stages.append(entry)
        self._tracking.stage_started(entry)
        plan = self._decide(spec, entry.inputs)
        assert plan.key is not None  # its inputs are known
        entry.reason, entry.key, entry.key_parts = plan.reason, plan.key.value, dict(plan.key.parts)
        self._job.keep_code(plan.key)
        if plan.result is not None:
            self._finish(spec, plan.result)
            return None
        self._display.stage_started(spec.name, plan.reason)
        if spec.name in self._job.planner.forced:
            self._job.cache.forget(plan.key.value)
        elif spec.cache:
            self._forget_if_stale(spec, plan)
        return self._runtime.submit(
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

    def _decide(self, spec: StageSpec, inputs: dict[str, str]) -> StagePlan:
        """Return the plan of a stage now that its inputs are known."""
        plan = self._plan[spec.name]
        return plan if plan.key is not None else self._job.planner.plan_stage(spec, inputs)

    def _forget_if_stale(self, spec: StageSpec, plan: StagePlan) -> None:
        """Drop a record whose objects are gone, which Prefect would take for a hit.

        A record that is good by now is another run's, made since the plan; it stays, and hits.
        """
        assert plan.key is not None
        planner = self._job.planner
        if planner.remembers(plan.key) and planner.find_result(spec, plan.key) is None:
            self._job.cache.forget(plan.key.value)

    def _execute(self, spec: StageSpec, plan: StagePlan, entry: StageRecord) -> dict[str, Any]:
        """Execute one stage; of several processes that want the same key, one executes at a time."""
        job = self._job
        key = plan.key
        assert key is not None
        entry.attempts += 1
        workdir = job.root / "checkpoints" / key.value
        context = StageContext(
            spec.name, job.experiment.seed, workdir, self._tracking.tracker, self._display, job.judge
        )
        inputs = {arg: self.made[name] for arg, name in spec.artifact_inputs().items()}
        with job.cache.lock(key.value):
            may_hit = spec.cache and spec.name not in job.planner.forced
            found = job.planner.find_result(spec, key) if may_hit else None
            if found is not None:
                return found.to_json()
            workdir.mkdir(parents=True, exist_ok=True)
            try:
                result = execute_stage(self._bench, spec, key, inputs, job.signatures[spec.name], context)
            except Pruned:
                raise  # its work directory stays, so that a later run goes on from there
            except Exception as error:
                raise self._without_secrets(error) from error.__cause__
            if spec.cache:
                job.cache.put(key.value, result.to_json())
        shutil.rmtree(workdir, ignore_errors=True)
        return result.to_json()

    def _finish_one(self, done: Done, running: set[str]) -> BaseException | None:
        """Wait for one stage; return its failure, or None."""
        name, future = done.get()
        running.remove(name)
        spec = self._job.experiment.stage(name)
        try:
            self._finish(spec, StageResult.from_json(future.result()))
        except BaseException as error:
            return self._failed(spec, error)
        return None

    def _finish(self, spec: StageSpec, result: StageResult) -> None:
        entry = self._entry(spec.name)
        entry.state = "ran" if result.run == self._record.id else "cached"
        entry.seconds = result.seconds if entry.state == "ran" else 0.0
        if entry.state == "cached":
            entry.reason = f"made by {result.run}"
        entry.outputs = name_outputs(spec, result)
        self.made.update(entry.outputs)
        self._read_figures(entry)
        self._tracking.stage_finished(entry)
        self._record.wandb = self._tracking.tracker.info()
        self._job.records.write(self._record)
        self._display.stage_finished(entry)
        if self._gate in entry.outputs:
            self._ask_gate(spec, entry.outputs[self._gate])

    def _read_figures(self, entry: StageRecord) -> None:
        artifact = entry.outputs.get(METRICS)
        if artifact is None or artifact.codec != "json" or artifact.bytes > ATTACHED_AT_MOST:
            return
        path = self._job.lake.local_path(artifact.commit, artifact.path)
        self._record.metrics = figures(json.loads(path.read_bytes()))
        self._tracking.tracker.log(self._record.metrics)

    def _ask_gate(self, spec: StageSpec, artifact: Artifact) -> None:
        is_asked = self._job.experiment.publish is not None
        if not is_asked and artifact.codec != "json":
            return  # some other thing that is called so
        verdict = json.loads(self._job.lake.local_path(artifact.commit, artifact.path).read_bytes())
        if not is_asked and not (isinstance(verdict, dict) and "passed" in verdict):
            return
        self._record.gate = verdict
        if verdict["passed"]:
            return
        if not is_asked:
            self._barred = set(self._job.graph.downstream(spec.name))
            return
        raise GateRejected.by(failed_line(check) for check in verdict["checks"] if not check["passed"])

    def _failed(self, spec: StageSpec, error: BaseException) -> BaseException:
        """Record a failure, and return what is to be raised for it."""
        entry = self._entry(spec.name)
        if isinstance(error, GateRejected) and entry.outputs:
            return error
        if isinstance(error, Pruned):
            entry.state, entry.reason = "pruned", str(error)
            self._display.stage_finished(entry)
            return error
        entry.state = "failed"
        entry.reason = f"{type(error).__name__}: {error}"
        if isinstance(error, ObjectDamaged | ObjectNotFound):
            self._forget_around(spec)
        self._display.stage_finished(entry)
        if not isinstance(error, Exception):
            return error
        failure = StageFailed(spec.name, error)
        failure.__cause__ = error
        return failure

    def _forget_around(self, spec: StageSpec) -> None:
        """Let what made a damaged or lost object run again, this stage or one before it: that mends it.

        A lake may go on describing an object whose bytes are gone, so a plan would find it there.
        """
        for name in (spec.name, *self._job.graph.upstream[spec.name]):
            key = self._entry(name).key
            if key is not None:
                self._job.cache.forget(key)

    def _without_secrets(self, error: Exception) -> Exception:
        """Return the error, or where its text holds a secret one that does not."""
        text = str(error)
        redacted = self._job.redact(text)
        return error if redacted == text else StageError(f"{type(error).__name__}: {redacted}")

    def _entry(self, name: str) -> StageRecord:
        return next(entry for entry in self._record.stages if entry.name == name)


def _find_gate(experiment: Experiment) -> str | None:
    """Return the artifact that holds the gate's verdict, or None where there is no gate."""
    if experiment.publish is not None:
        return experiment.publish.gate
    return find_gate(experiment.stages)


def _tell_when_done(future: StageFuture, name: str, done: Done, at_once: bool) -> None:
    """Put a future on the queue when it is done, waiting for it in a thread of its own."""
    if at_once:
        done.put((name, future))
        return

    def wait() -> None:
        with suppress(BaseException):  # whoever takes it from the queue asks again, and raises
            future.result()
        done.put((name, future))

    threading.Thread(target=copy_context().run, args=(wait,), daemon=True).start()
