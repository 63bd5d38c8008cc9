"""What a sweep is asked to do: the jobs of a grid, or a space to search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from headrace.assemble import Memory
from headrace.config.space import parse_space
from headrace.config.sweep import Words, list_jobs
from headrace.config.sweep_settings import SweepSettings, load_sweep_settings
from headrace.core.secrets import redact_overrides
from headrace.core.sweep import TrialRecord, split_shared
from headrace.errors import ConfigError
from headrace.sweep_plan import SweepPlan, plan_jobs, plan_sweep
from headrace.sweeps.objective import check_objective
from headrace.sweeps.search import OpenSearch, every_branch, open_search, write_point

NOT_PUBLISHED = "++publish=False"  # as Hydra writes it
LEFT_OUT = "++leave_out="


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a command line and its config ask for.

    `jobs` are all of a grid; of a search they are a few points that differ in every key, to check and
    plan with. `fixed` are the overrides that every job has, `keys` what a search varies.
    """

    jobs: list[Words]
    fixed: Words
    keys: tuple[str, ...] = ()
    search: OpenSearch | None = None

    def words_of(self, trial: TrialRecord) -> Words:
        """Return the overrides of a job, of a grid in the order in which they were given."""
        return self.jobs[trial.number] if self.search is None else [*self.fixed, *trial.overrides]


def read_asked(cfg: DictConfig, settings: SweepSettings, words: Sequence[str]) -> Asked:
    """Return what a sweep with these overrides is to do. Raises `ConfigError` with every problem."""
    if settings.publish != "all":
        words = [*words, NOT_PUBLISHED, *_left_out(cfg)]
    if not settings.is_search:
        jobs = list_jobs(settings.sweeper.params, words)
        fixed, others = split_shared(jobs)
        _check_open(word for words in others for word in words)
        return Asked(jobs=jobs, fixed=fixed)
    space, fixed = parse_space(settings.sweeper.params, words, GlobalHydra.instance().config_loader())
    search = open_search(settings, space, Memory.of(cfg).index)
    points = [write_point(point) for point in every_branch(space)]
    _check_open(word for words in points for word in words)
    jobs = [[*fixed, *words] for words in points]
    return Asked(jobs=jobs, fixed=fixed, keys=tuple(space.domains), search=search)


def _check_open(varied: Iterable[str]) -> None:
    """Raise `ConfigError` where what sets jobs apart, which every record shows, is a secret."""
    words = list(dict.fromkeys(varied))
    for word, shown in zip(words, redact_overrides(words), strict=True):
        if word != shown:
            found = "is secret, and a sweep records what it varies"
            hint = "give all jobs one value, or read it from the environment: ${oc.env:NAME}"
            raise ConfigError.one(word.partition("=")[0].lstrip("+"), found, hint)


def plan_asked(flow: str, cfg: DictConfig, words: Sequence[str]) -> tuple[Asked, SweepPlan]:
    """Plan a sweep that nobody starts. Raises `ConfigError` where a real one would."""
    settings = load_sweep_settings(cfg)
    asked = read_asked(cfg, settings, words)
    planned = list(plan_jobs(flow, asked.jobs, flow))
    check_objective(planned[0].loaded.job, settings.objective)
    return asked, plan_sweep(planned)


def alone(overrides: Sequence[str]) -> Words:
    """Return the overrides that run a job of a sweep alone, so that it publishes."""
    return [word for word in overrides if word != NOT_PUBLISHED and not word.startswith(LEFT_OUT)]


def _left_out(cfg: DictConfig) -> Words:
    """Return the override by which jobs leave out the stages that only a run which publishes needs."""
    here = set(cfg.get("stages") or {})
    asked = [*(cfg.get("sweep", {}).get("leave_out") or []), *(cfg.get("leave_out") or [])]
    names = sorted({name for name in asked if name in here})
    return [f"{LEFT_OUT}[{','.join(names)}]"] if names else []
