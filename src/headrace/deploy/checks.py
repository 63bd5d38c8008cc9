"""What must be good before an alias moves: the run's gate once more, and a canary's figures."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from headrace.adapters.source_models import SourceModels
from headrace.core.code import CodeIndex
from headrace.core.gate_line import failed_line, short_line
from headrace.core.ports import Codec, LakeStore
from headrace.deploy.decide import Decision, FindRun
from headrace.deploy.gate import CannotAsk, Judged, Verdict, ask_again, failed
from headrace.deploy.services import Services
from headrace.deploy.settings import DeploySettings
from headrace.deploy.step import Tell
from headrace.errors import GateRejected, RunNotFound
from headrace.registry import CANARY, read_current

Check = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Asks all that has a say. `scratch` is where the gate's inputs are laid out meanwhile."""

    lake: LakeStore
    codecs: Sequence[Codec]
    services: Services
    find_run: FindRun
    index: CodeIndex
    scratch: Path
    tell: Tell

    def require(self, settings: DeploySettings, decision: Decision) -> tuple[Check, ...]:
        """Return the checks, told. Raises `GateRejected` where one says no and nothing is forced."""
        request = settings.request
        checks: list[Check] = []
        bad: list[Check] = []
        if request.gate:
            try:
                asked, said_no = self._ask_gate(settings, decision)
            except CannotAsk as error:
                if request.force is None:
                    raise
                why = str(error).partition("\n")[0]
                self.tell("gate", why)
                asked = said_no = [_unasked(why)]
            checks, bad = [*asked], [*said_no]
        if request.action == "promote" and request.source == CANARY and decision.to is not None:
            figures = self.services.judge_canary(request.model, decision.to, settings.canary)
            self._tell_checks(CANARY, figures)
            checks, bad = [*checks, *figures], [*bad, *failed(figures)]
        if bad and request.force is None:
            raise _no(request.model, request.alias, bad)
        if bad:
            self.tell("forced", f"{request.force}  ({len(bad)} of {len(checks)} checks failed)")
        return tuple(checks)

    def _ask_gate(self, settings: DeploySettings, decision: Decision) -> tuple[list[Check], list[Check]]:
        """Return the gate's checks, and those by which it says no."""
        request = settings.request
        if decision.run is None:
            raise CannotAsk.by("?", "the registry does not say which run made the version")
        try:
            record = self.find_run(decision.run)
        except RunNotFound as error:
            raise CannotAsk.by(decision.run, str(error)) from error
        models = SourceModels(partial(read_current, self.lake))
        champion = None
        if decision.start is not None and decision.start != decision.to:
            package = models.package(f"model:{request.model}/{decision.start}")
            champion = None if package is None else (decision.start, package)
        judged = Judged(record=record, model=request.model, alias=request.alias, champion=champion)
        self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.scratch, prefix="gate-") as folder:
            verdict = ask_again(judged, self.lake, self.codecs, models, self.index, Path(folder))
        return self._told(verdict, request.alias)

    def _told(self, verdict: Verdict | None, alias: str) -> tuple[list[Check], list[Check]]:
        if verdict is None:
            self.tell("gate", "the run has none")
            return [], []
        against = (
            f"{alias} names nothing else to compare with"
            if verdict.champion is None
            else f"against version {verdict.champion}"
        )
        self.tell("gate", f"{'yes' if verdict.passed else 'no'}, {against}")
        self._tell_checks("", verdict.checks)
        checks = list(verdict.checks)
        if verdict.passed:  # also where it only tells: then a check may have failed
            return checks, []
        bad = failed(checks) or [_unasked("it says no, and none of its checks does")]
        return [*checks, *(one for one in bad if one not in checks)], bad

    def _tell_checks(self, what: str, checks: Sequence[Check]) -> None:
        for check in checks:
            self.tell(what, f"{'+' if check.get('passed') else '-'} {short_line(check)}")


def _unasked(why: str) -> Check:
    told = {"metric": "gate", "slice": None, "rule": "says", "wanted": "yes"}
    return {**told, "found": "no", "passed": False, "detail": why}


def _no(model: str, alias: str, bad: Sequence[Check]) -> GateRejected:
    lines = [f"the gate says no, {model}@{alias} stays", *(f"  - {failed_line(check)}" for check in bad)]
    return GateRejected("\n".join([*lines, "to go on all the same, add: 'force=why it is right'"]))
