"""Start a sweep, or go on with one: plan it as a whole, choose its workers, tell what it came to."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from headrace import tell_sweep
from headrace.adapters.sweep_files import SweepFiles
from headrace.assemble import Prepared
from headrace.cached import read_cached
from headrace.config.sweep_settings import load_sweep_settings
from headrace.core.record import RunRecord
from headrace.core.secrets import redact_overrides
from headrace.core.sweep import (
    ENDED,
    SweepRecord,
    SweepState,
    TrialRecord,
    as_params,
    cut_off,
    split_shared,
)
from headrace.errors import GateRejected
from headrace.run import new_run_id
from headrace.sweep_plan import PlannedJob, SweepPlan, plan_jobs, plan_sweep
from headrace.sweeps.asked import alone, read_asked
from headrace.sweeps.engine import Engine, run_jobs
from headrace.sweeps.job import run_kept_job, warm_up
from headrace.sweeps.lake_place import lake_place
from headrace.sweeps.objective import check_logged, check_objective
from headrace.sweeps.places import (
    check_gpus,
    check_place,
    join_workers,
    open_reports,
    run_as_flow,
    start_processes,
)
from headrace.sweeps.search import OpenSearch, write_point
from headrace.sweeps.sources import Grid, Source, Trials

FAILED = 1
INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest:
    """What somebody typed. `cfg` is the config with its `hydra` node, `words` the overrides of every job.

    `publish` runs one job alone, from all its overrides, and publishes it. `resumed` is the id of the
    sweep that is to go on.
    """

    flow: str
    cfg: DictConfig
    words: Sequence[str]
    publish: Callable[[Sequence[str]], RunRecord | None]
    resumed: str | None = None


def start_sweep(request: SweepRequest) -> int:
    """Run a sweep and return the exit code. Raises `ConfigError` before anything is written."""
    return _Sweep(request).go()


class _Sweep:
    def __init__(self, request: SweepRequest) -> None:
        self.request = request
        self.settings = load_sweep_settings(request.cfg)
        self.root = Path(str(request.cfg.get("headrace_dir") or ".headrace")).absolute()
        self.files = SweepFiles(self.root / "sweeps")
        self.resumed: SweepRecord | None = None
        self.started = time.perf_counter()
        self.seconds_before = 0.0  # in earlier processes
        self.asked = read_asked(request.cfg, self.settings, request.words)
        self.plan: SweepPlan | None = None
        self.lake: str | None = None  # where it is, for workers to compare

    def go(self) -> int:
        with ExitStack() as held:
            if self.request.resumed is not None:
                # Before it is read: what another process still writes down would be lost.
                held.enter_context(self.files.hold(self.request.resumed))
                self.resumed = cut_off(self.files.read(self.request.resumed))
                self.seconds_before = self.resumed.seconds
            if self.asked.search is not None:
                prepared, record, source = self._prepare_search(self.asked.search)
            else:
                prepared, record, source = self._prepare_grid()
            check_place(self.settings, prepared.job.lake)
            check_gpus(self.settings.launcher, source.left())
            self.lake = lake_place(prepared.job.lake)
            if self.resumed is None:
                self._freeze(record)
                held.enter_context(self.files.hold(record.id))
            self._do(record, source, prepared)
            return self._finish(record)

    def _do(self, record: SweepRecord, source: Source, prepared: Prepared) -> None:
        """Run what is to run; whatever happens, the record says how it ended."""
        try:
            if self.settings.is_search or any(trial.state not in ENDED for trial in record.trials):
                self._run(record, source, prepared)
            record.state = _state_of(record)
        except KeyboardInterrupt:
            record.state = "interrupted"
        except BaseException as error:
            record.state, record.error = "failed", str(error)
            raise
        finally:
            record.seconds = self._seconds()
            self.files.write(record)

    # --- what there is to do ------------------------------------------------------------------

    def _prepare_grid(self) -> tuple[Prepared, SweepRecord, Source]:
        jobs = self.asked.jobs
        planned = dict(enumerate(plan_jobs(self.request.flow, jobs, self.request.flow)))
        prepared = planned[0].loaded
        check_objective(prepared.job, self.settings.objective)
        record = self.resumed or self.new_record(prepared)
        if self.resumed is None:
            for number, overrides in enumerate(split_shared(jobs)[1]):
                trial = TrialRecord(number=number, overrides=overrides, params=as_params(overrides))
                record.trials.append(trial)
            self.plan = plan_sweep(list(planned.values()))
            tell_sweep.tell_plan(self.plan)
        self._take_cached(record, planned, prepared)
        return prepared, record, Grid(record, planned)

    def _prepare_search(self, search: OpenSearch) -> tuple[Prepared, SweepRecord, Source]:
        jobs = self.asked.jobs
        planned = list(plan_jobs(self.request.flow, jobs, self.request.flow))
        prepared = planned[0].loaded
        check_objective(prepared.job, self.settings.objective)
        record = self.resumed or self.new_record(prepared)
        if self.resumed is None:
            tell_sweep.tell_space(self.asked.keys, search.total, plan_sweep(planned))
        left = self._seconds_left(record)
        trials = Trials(record, search.search, write_point, search.total, left)
        return prepared, record, trials

    def _seconds_left(self, record: SweepRecord) -> float | None:
        minutes = self.settings.sweeper.minutes
        return None if minutes is None else 60 * minutes - record.seconds

    def _seconds(self) -> float:
        """Return how long the sweep has taken, all its processes together."""
        return round(self.seconds_before + time.perf_counter() - self.started, 3)

    def _take_cached(
        self, record: SweepRecord, planned: Mapping[int, PlannedJob], prepared: Prepared
    ) -> None:
        """Write down the results of jobs of which every stage is cached: they need no worker."""
        if self.settings.publish == "all":
            return
        for trial in record.trials:
            job = planned[trial.number]
            if trial.state in ENDED or (found := read_cached(job.graph, job.plan, prepared.job.lake)) is None:
                continue
            if all(name in found.metrics for name in record.objective):
                trial.state = "rejected" if found.rejected else "cached"
                trial.run, trial.metrics = found.run, found.metrics

    def new_record(self, prepared: Prepared) -> SweepRecord:
        """Return the record of a sweep that begins now."""
        typed = [*_hydra_words(self.request.cfg), *self.request.words]
        shown = redact_overrides(typed)
        sweep_id = new_run_id()
        return SweepRecord(
            id=sweep_id,
            experiment=prepared.job.experiment.name,
            flow=self.request.flow,
            command=shlex.join(["python", "-m", f"flows.{self.request.flow}", "-m", *shown]),
            overrides=shown,
            state="running",
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=0.0,
            objective=dict(self.settings.objective),
            fixed=redact_overrides(self.asked.fixed),
            resume=shlex.join(["python", "-m", f"flows.{self.request.flow}", "-m", f"resume={sweep_id}"]),
        )

    def _freeze(self, record: SweepRecord) -> None:
        """Keep the config that the sweep begins with: somebody may edit it meanwhile."""
        sources = OmegaConf.select(self.request.cfg, "hydra.runtime.config_sources") or []
        folders = [Path(str(s.path)) for s in sources if s.schema == "file" and Path(str(s.path)).is_dir()]
        self.files.freeze(record.id, folders)
        self.files.write(record)

    # --- doing it -----------------------------------------------------------------------------

    def _run(self, record: SweepRecord, source: Source, prepared: Prepared) -> None:
        record.state, record.error = "running", None
        prepared.begin()
        display = tell_sweep.open_display(record, source.total)

        def body() -> None:
            with open_reports(self.settings, source) as reports:
                run_jobs(
                    Engine(
                        record=record,
                        files=self.files,
                        source=source,
                        workers=here or join_workers(self.settings, source.total, record),
                        display=display,
                        payload=lambda trial: self._payload(record, trial, reports),
                        stop_on_failure=self.settings.launcher.on_failure == "stop",
                        wait=self.settings.launcher.wait,
                        check=lambda _: check_logged(record.trials, record.objective),
                        seconds=self._seconds,
                    )
                )

        warmed = partial(warm_up, self._shared_payload(record) | {"overrides": self.asked.jobs[0]})
        try:
            with start_processes(self.settings, source.left(), run_kept_job, warmed) as here:
                plan = tell_sweep.plan_line(self.plan) if self.plan else ""
                run_as_flow(prepared.job, record, body, plan)
        finally:
            display.close()

    def _shared_payload(self, record: SweepRecord) -> dict[str, Any]:
        return {
            "flow": self.request.flow,
            "sweep": record.id,
            "flow_run": record.prefect.get("flow_run_id"),
            "conf": str(self.files.conf(record.id)),
            "cwd": str(Path.cwd()),
            "lake": self.lake,
        }

    def _payload(
        self, record: SweepRecord, trial: TrialRecord, reports: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        return {
            **self._shared_payload(record),
            "overrides": self.asked.words_of(trial),
            "params": trial.params,
            "trial": trial.number,
            "folder": str(self.files.job(record.id, trial.number)),
            "reports": reports,
        }

    # --- what it came to ----------------------------------------------------------------------

    def _finish(self, record: SweepRecord) -> int:
        tell_sweep.tell_results(record, self.files)
        if record.state == "interrupted":
            return INTERRUPTED
        if record.state == "running":
            return 0
        code = FAILED if any(trial.state == "failed" for trial in record.trials) else 0
        if self.settings.publish != "best":
            return code
        ranked = record.ranked()
        if not ranked:
            tell_sweep.tell_no_best()
            return FAILED
        return self._publish_best(record, ranked[0]) or code

    def _publish_best(self, record: SweepRecord, best: TrialRecord) -> int:
        tell_sweep.tell_best(best)
        published = self.request.publish(alone(self.asked.words_of(best)))
        if published is None:
            return 0
        record.published = published.published
        self.files.write(record)
        return {"succeeded": 0, "rejected": GateRejected.exit_code}.get(published.state, FAILED)


def _state_of(record: SweepRecord) -> SweepState:
    states = {trial.state for trial in record.trials}
    return "running" if "running" in states else "failed" if "failed" in states else "succeeded"


def _hydra_words(cfg: DictConfig) -> list[str]:
    words = OmegaConf.select(cfg, "hydra.overrides.hydra") or []
    return [str(word) for word in words if not str(word).startswith("hydra.mode=")]
