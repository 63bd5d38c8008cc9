"""The study in memory that a search asks and tells, and the samplers and pruners in it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from headrace.errors import ConfigError

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

# Hyperband deals trials to its brackets by the study's name and their numbers.
_NAME = "headrace"

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True, slots=True)
class OpenStudy:
    """A study whose trials end elsewhere, with the storage that knows them."""

    study: Study
    storage: BaseStorage
    id: int

    def count(self) -> int:
        return self.storage.get_n_trials(self.id)

    def trial(self, number: int) -> FrozenTrial:
        return self.storage.get_trial(self.storage.get_trial_id_from_study_id_trial_number(self.id, number))

    def attrs(self) -> dict[str, Any]:
        """Return what samplers note of the whole study."""
        return dict(self.storage.get_study_system_attrs(self.id))

    def set_attrs(self, attrs: dict[str, Any]) -> None:
        for key, value in attrs.items():
            self.storage.set_study_system_attr(self.id, key, value)


def open_study(directions: Sequence[Direction], pruner: BasePruner) -> OpenStudy:
    import optuna
    from optuna.storages import InMemoryStorage

    if optuna.logging.get_verbosity() < optuna.logging.WARNING:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = InMemoryStorage()
    study = optuna.create_study(storage=storage, pruner=pruner, study_name=_NAME, directions=list(directions))
    # A grid's sampler calls it where all is told, and Optuna refuses that outside its own loop; `ask`
    # sees earlier that all is asked for.
    study.stop = lambda: None  # type: ignore[method-assign]
    return OpenStudy(study, storage, storage.get_study_id_from_name(_NAME))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from warning that something is experimental: its user chose that by name."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def build_pruner(factory: Callable[[], Any] | None) -> BasePruner:
    """Build a pruner; without one no trial is stopped, where Optuna itself would stop some."""
    from optuna.pruners import BasePruner, NopPruner

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
    from optuna.samplers import BaseSampler, NSGAIISampler, QMCSampler, TPESampler

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
