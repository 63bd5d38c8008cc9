"""A search that asks Optuna what to try next."""

from __future__ import annotations

import hashlib
import math
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headrace.adapters.search_optuna.memory import merge_attrs, read_memory, study_attrs, write_memory
from headrace.adapters.search_optuna.params import read_params
from headrace.adapters.search_optuna.study import Direction, build_pruner, build_sampler, open_study, quiet
from headrace.core.grid import grid_points
from headrace.core.ports import ParamValue, Search, Suggestion, TrialEnd
from headrace.core.space import Space
from headrace.errors import ConfigError

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial

Labels = dict[str, ParamValue]


class OptunaSearch:
    """Asks and tells an Optuna study, which lives in memory: what outlives it is in `memory`.

    Several trials may be open at once and be told in any order. Give `TPESampler` then
    `constant_liar=True`, so that it does not propose what is being tried already.

    How samplers go on after `restore`:

    - Each draws from a seed of its own, of the sweep's seed and the number of trials restored, so that
      no point comes again. A node that sets `seed` itself gives that up.
    - QMC goes on in its sequence and NSGA-II in its generation. A grid leaves out what was tried.
    - CMA-ES keeps its distribution as a pickle, which is never stored. It builds it again from the
      restored trials, a generation with each new trial, and is as wide as at first until then. On
      functions of five params that cost nothing to speak of, where `source_trials` came out two to
      three times, and a distribution begun anew ten times, as far from the optimum.

    A grid, which is `GridSampler` without `search_space` or `BruteForceSampler`, is the space's own
    points in an order drawn by the seed, each once, with its conditions. A failed point is not tried again.

    Optuna's samplers leave failed trials out of account: they learn neither that such a point is good
    nor that it is bad, and TPE may come back to a region where all trials fail.

    Args:
        space: What to choose from.
        directions: One for each objective.
        sampler: Builds a sampler from a seed; None means TPE, or NSGA-II for several objectives.
            Where it has a set `needs` with `search_space` in it, the search is a grid.
        pruner: Builds a pruner; None stops no trial. Optuna has none for several objectives.
        seed: The sweep's seed.
        n_trials: How many points to ask for, those restored included; None for no end.

    Raises:
        ConfigError: Optuna cannot do what is wanted. Some samplers say so only at the first `ask`.
    """

    def __init__(
        self,
        space: Space,
        directions: Sequence[Direction],
        sampler: Callable[[int], BaseSampler] | None = None,
        pruner: Callable[[], BasePruner] | None = None,
        seed: int = 0,
        n_trials: int | None = None,
    ) -> None:
        if pruner is not None and len(directions) > 1:
            found = f"Optuna cannot stop trials of {len(directions)} objectives early"
            raise ConfigError.one("hydra.sweeper.pruner", found, "type: hydra.sweeper.pruner=null")

        self._space = space
        self._params = read_params(space)
        self._factory = sampler
        self._seed = seed
        self._n_trials = n_trials
        self._open = open_study(directions, build_pruner(pruner))
        self._study = self._open.study
        self._sign = 1.0 if directions[0] == "maximize" else -1.0
        self._prunes = pruner is not None
        self._begun = False
        self._grid: deque[Labels] | None = None
        self._notes: dict[int, dict[str, Any]] = {}

    def ask(self) -> Suggestion | None:
        """Return the next point; None where all trials are asked, or each point of a grid."""
        self._begin()
        if self._is_used_up():
            return None
        before = self._open.attrs()
        with quiet():
            if self._grid is not None:
                self._study.enqueue_trial(self._grid.popleft())
            trial, point = self._draw()
        after = self._open.attrs()
        self._notes[trial.number] = {key: v for key, v in after.items() if before.get(key) != v}
        return Suggestion(number=trial.number, params=point)

    def report(self, number: int, step: int, score: float) -> bool:
        """Take a score of an open trial; return whether the pruner would stop it.

        A score that comes too late, or for several objectives, is ignored; a step told again counts
        as the last one told.
        """
        self._begin()
        trial = self._open.trial(number)
        if not self._prunes or trial.state.is_finished():
            return False
        # Not `Trial.report`, which wants the object that `ask` made: a reopened trial has none.
        self._open.storage.set_trial_intermediate_value(trial._trial_id, step, self._sign * score)
        return bool(self._study.pruner.prune(self._study, self._open.trial(number)))  # NumPy's, of some

    def tell(self, number: int, end: TrialEnd, values: Sequence[float] = ()) -> None:
        """Take how an open trial ended. A value that is no finite number makes it a failed one."""
        self._begin()
        state, known = self._end(end, values)
        self._study.tell(number, values=known or None, state=state)

    def memory(self, number: int) -> dict[str, Any]:
        """Return the point in Optuna's terms, and what sampler and pruner noted.

        Enough as soon as it is asked for a trial that may be cut off. Pruners of the halving kind
        note more at each score, so that a trial's last memory is that of its end.
        """

        return write_memory(self._open.trial(number), self._notes.get(number, {}))

    def restore(
        self,
        number: int,
        memory: Mapping[str, Any],
        end: TrialEnd,
        values: Sequence[float],
        scores: Sequence[tuple[int, float]],
    ) -> None:
        """Take over a trial that ended, before the first `ask`.

        A number left out is that of a trial of which nothing is known; it counts as failed. One
        that was cut off and is not to be tried again is restored as failed too, else see `reopen`.
        """
        state, known = self._end(end, values)
        self._take_over(number, memory, state, known, scores)

    def reopen(
        self, number: int, memory: Mapping[str, Any], scores: Sequence[tuple[int, float]] = ()
    ) -> None:
        """Take over a trial that was cut off and is tried again, under its number and with its point.

        It is open as if just asked for. Comes in the order of numbers among the calls of `restore`.
        """
        from optuna.trial import TrialState

        self._take_over(number, memory, TrialState.RUNNING, [], scores)

    def _take_over(
        self,
        number: int,
        memory: Mapping[str, Any],
        state: Any,
        values: Sequence[float],
        scores: Sequence[tuple[int, float]],
    ) -> None:
        from optuna.trial import TrialState, create_trial

        if self._begun:
            raise RuntimeError("trials are restored before the first one is asked for or told")
        if number < self._open.count():
            raise ValueError(f"trial {number} is restored already, or comes after a later one")
        while self._open.count() < number:
            self._study.add_trial(create_trial(state=TrialState.FAIL))
        several = len(self._study.directions) > 1
        steps = {} if several else {step: self._sign * score for step, score in scores}
        if state == TrialState.PRUNED and steps and not math.isnan(steps[max(steps)]):
            values = [steps[max(steps)]]  # as `Study.tell` does
        self._study.add_trial(read_memory(memory, state, values, steps))
        notes = study_attrs(memory)
        self._open.set_attrs(merge_attrs(self._open.attrs(), notes))
        self._notes[number] = notes

    def _begin(self) -> None:
        """Build the sampler, whose seed hangs on what was restored."""
        if self._begun:
            return
        from optuna.samplers import BruteForceSampler

        done = self._open.count()
        seed = self._seed if done == 0 else _later_seed(self._seed, done)
        is_grid = "search_space" in getattr(self._factory, "needs", ())
        factory = None if is_grid else self._factory
        self._study.sampler = build_sampler(factory, len(self._study.directions), seed, self._seed)
        if is_grid or isinstance(self._study.sampler, BruteForceSampler):
            self._grid = self._left_of_grid()
        self._begun = True

    def _left_of_grid(self) -> deque[Labels]:
        """Return the points that no trial has, shuffled as from the first process on."""
        points = [self._params.labels(point) for point in grid_points(self._space)]
        random.Random(self._seed).shuffle(points)
        tried = {_identity(trial.params) for trial in self._study.get_trials(deepcopy=False)}
        return deque(point for point in points if _identity(point) not in tried)

    def _is_used_up(self) -> bool:
        number = self._open.count()
        if self._n_trials is not None and number >= self._n_trials:
            return True
        if self._grid is not None:
            return not self._grid
        # A GridSampler whose user gave it the points notes in each trial which of them it is.
        attrs = [
            t.system_attrs for t in self._study.get_trials(deepcopy=False) if "grid_id" in t.system_attrs
        ]
        if not attrs:
            return False
        size = math.prod(map(len, attrs[-1]["search_space"].values()))
        return len({one["grid_id"] for one in attrs}) >= size

    def _draw(self) -> tuple[Trial, dict[str, ParamValue]]:
        try:
            trial = self._study.ask()
            return trial, self._params.walk(lambda param: param.suggest(trial))
        except ValueError as error:
            found = f"{type(self._study.sampler).__name__} cannot search this: {error}"
            raise ConfigError.one("hydra.sweeper.sampler", found, "choose another sampler") from error

    def _end(self, end: TrialEnd, values: Sequence[float]) -> tuple[Any, list[float]]:
        """Return an end in Optuna's terms, and the values that it keeps."""
        from optuna.trial import TrialState

        if end == "pruned":
            return TrialState.PRUNED, []
        if end == "failed" or not all(map(math.isfinite, values)):
            return TrialState.FAIL, []
        if len(values) != len(self._study.directions):
            raise ValueError(f"{len(values)} values for {len(self._study.directions)} objectives")
        return TrialState.COMPLETE, [float(value) for value in values]


def _later_seed(seed: int, done: int) -> int:
    digest = hashlib.sha256(f"seed {seed} after {done} trials".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _identity(point: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
    return frozenset(point.items())


if TYPE_CHECKING:
    _IS_A_SEARCH: type[Search] = OptunaSearch
