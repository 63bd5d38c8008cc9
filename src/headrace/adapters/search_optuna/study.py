"""The study in memory that a search asks and tells. Importing this imports Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import BaseSampler, NSGAIISampler, QMCSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import Study, StudyDirection

from headrace.errors import ConfigError

# Hyperband deals trials to its brackets by the study's name and their numbers.
_NAME = "headrace"


class AskedStudy(Study):
    """A study whose trials end elsewhere."""

    def __init__(self, directions: Sequence[str], pruner: BasePruner) -> None:
        self.storage = InMemoryStorage()
        self.id = self.storage.create_new_study([StudyDirection[d.upper()] for d in directions], _NAME)
        super().__init__(study_name=_NAME, storage=self.storage, pruner=pruner)

    def stop(self) -> None:
        """Do nothing: samplers call this where all is told, and `ask` sees earlier that all is asked."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from warning that something is experimental: its user chose that by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def silence() -> None:
    """Let Optuna's log say warnings only; whoever made it say less keeps that."""
    if optuna.logging.get_verbosity() < optuna.logging.WARNING:
        optuna.logging.set_verbosity(optuna.logging.WARNING)


def build_pruner(factory: Callable[[], Any] | None) -> BasePruner:
    if factory is None:
        return NopPruner()
    pruner: BasePruner = _build(factory, BasePruner, "pruner")
    return pruner


def build_sampler(
    factory: Callable[[int], Any] | None, objectives: int, seed: int, first: int
) -> BaseSampler:
    """Build a sampler with a seed of its own; `first` is that of the sweep's first process.

    A quasi-random sequence goes on only with the seed that it began with; what it draws beside it,
    such as the params under a condition, is drawn anew.
    """
    if factory is None:
        return NSGAIISampler(seed=seed) if objectives > 1 else TPESampler(seed=seed)
    sampler: BaseSampler = _build(lambda: factory(seed), BaseSampler, "sampler")
    if isinstance(sampler, QMCSampler) and seed != first:
        going_on: QMCSampler = _build(lambda: factory(first), QMCSampler, "sampler")
        going_on._independent_sampler = sampler._independent_sampler
        return going_on
    return sampler


def _build(factory: Callable[[], Any], kind: type, what: str) -> Any:
    where = f"hydra.sweeper.{what}"
    try:
        with quiet():
            built = factory()
    except (TypeError, ValueError) as error:
        raise ConfigError.one(where, f"cannot be built: {error}", "look at the class's arguments") from error
    if not isinstance(built, kind):
        found = f"a {type(built).__name__} is no {what} of Optuna's"
        raise ConfigError.one(where, found, f"name a class of optuna.{what}s")
    return built
