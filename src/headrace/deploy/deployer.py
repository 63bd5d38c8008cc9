"""One deployment from the request to its end, after whatever earlier ones left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from headrace.core.record import RunRecord
from headrace.deploy.checks import Checks
from headrace.deploy.decide import Decision, FindRun, decide
from headrace.deploy.earlier import finish_earlier
from headrace.deploy.journal import Deployment
from headrace.deploy.settings import DeploySettings, Request
from headrace.deploy.step import Step
from headrace.errors import AliasMoved
from headrace.registry import read_current
from headrace.run import new_run_id

TRIES = 5  # how often somebody else may move the alias while this command judges


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployer:
    """Deploys; of several on this machine one at a time for each model."""

    step: Step
    checks: Checks
    find_run: FindRun

    def deploy(self, settings: DeploySettings) -> Deployment | None:
        """Do what is asked for; None where there is nothing to do.

        Raises `GateRejected`, `ModelNotFound`, `RunNotFound`, and what `Step.carry_out` raises.
        """
        request = settings.request
        self._finish_others(request.model)
        with self.step.journal.hold(request.model):
            finish_earlier(self.step, request.model, request.alias)
            deployment_id = new_run_id()
            for left in reversed(range(TRIES)):
                try:
                    return self._try(settings, deployment_id)
                except AliasMoved as moved:
                    if not left:
                        raise
                    self.step.tell("again", str(moved))
        raise AssertionError("the last try returns or raises")

    def _try(self, settings: DeploySettings, deployment_id: str) -> Deployment | None:
        request = settings.request
        _, registry = read_current(self.step.lake, request.model)
        decision = decide(request, registry, self.find_run)
        if not decision.changes(registry, request):
            self.step.tell("alias", f"{request.model}@{request.alias} names version {decision.to} already")
            return None
        checks = self.checks.require(settings, decision)
        record = self._record(decision)
        deployment = _planned(request, decision, registry, deployment_id, checks)
        return self.step.carry_out(deployment, record, decision.package)

    def _record(self, decision: Decision) -> RunRecord | None:
        return self.find_run(str(decision.run)) if decision.package is not None else None

    def _finish_others(self, model: str) -> None:
        """Finish what was left of other models, where nobody is at it, without waiting for services."""
        journal = self.step.journal
        for other in sorted({one.model for one in journal.unfinished()} - {model}):
            with journal.hold(other, wait=False) as held:
                if held:
                    finish_earlier(self.step, other, wait=False)


def _planned(
    request: Request,
    decision: Decision,
    registry: Mapping[str, Any],
    deployment_id: str,
    checks: tuple[Mapping[str, Any], ...],
) -> Deployment:
    return Deployment(
        id=deployment_id,
        model=request.model,
        alias=request.alias,
        why=decision.why,
        start=decision.start,
        to=decision.to,
        run=decision.run,
        publishes=decision.package is not None,
        forced=request.force,
        share=request.share,
        share_before=(registry.get("shares") or {}).get(request.alias),
        clears=request.clears,
        checks=checks,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
