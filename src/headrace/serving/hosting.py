"""One model of the service: which versions of it are loaded, who answers, and how a new one takes over."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headrace.core.serving import Answers, Predictor, Request, RowSchema
from headrace.errors import HeadraceError, LakeRetryableError, ModelNotFound, RowsRejected
from headrace.serving.canary import Comparison, is_in_share
from headrace.serving.drift_gauges import DriftWatch
from headrace.serving.roles import Batcher, Role, Serving
from headrace.serving.settings import ServeSettings
from headrace.serving.shadow import Shadow
from headrace.serving.warm_up import check_version

if TYPE_CHECKING:
    from headrace.serving.metrics import Metrics

log = logging.getLogger(__name__)

RETIRE_SECONDS = 5.0  # in which a request that chose a version has handed its rows to it
Registry = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a version is made of, as the composition gives it.

    `load` takes a model's name, a version and the lake's commit, and may take seconds; it is called in a
    thread. `batcher` is called in the event loop.
    """

    load: Callable[[str, int, str], Predictor]
    schema: Callable[[Predictor], RowSchema]
    batcher: Callable[[Predictor, RowSchema], Batcher]
    metrics: Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which versions a registry asks for: `share` of the traffic is the canary's."""

    stable: int
    canary: int | None = None
    shadow: int | None = None
    share: float = 0.0


class HostedModel:
    """Serves one model as its registry says. Used from the event loop alone.

    Args:
        name: The model's.
        alias: The alias that is served; '' where `version` is.
        version: The version that is served whatever aliases say; None where an alias is.
    """

    def __init__(
        self, name: str, alias: str, version: int | None, settings: ServeSettings, parts: Parts
    ) -> None:
        self.name = name
        self._alias, self._version = alias, version
        self._settings, self._parts = settings, parts
        self._slots: dict[Role, Serving] = {}
        self._share = 0.0
        self._seen: Registry | None = None
        self._refused: dict[int, str] = {}
        self._returned: str | None = None
        self._comparison = Comparison(settings.canary)
        self._shadow: Shadow | None = None
        self._drift: DriftWatch | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._commit = ""

    # --- answering --------------------------------------------------------------------------------

    @property
    def stable(self) -> Serving:
        return self._slots["stable"]

    def choose(self, key: str | None) -> Serving:
        canary = self._slots.get("canary")
        if canary is None:
            return self._slots["stable"]
        if key is None:
            chosen = random.random() < self._share
        else:
            chosen = is_in_share(self.name, key, self._share)
        return canary if chosen else self._slots["stable"]

    def observe(self, serving: Serving, seconds: float, failed: bool) -> None:
        if "canary" not in self._slots or serving.predictor.version != self._number(serving.role):
            return  # there is nothing to compare, or it was answered by a version that is replaced by now
        self._comparison.observe(serving.role, seconds, failed)
        if serving.role != "canary":
            return
        self._parts.metrics.canary_answered(self.name, failed)
        why = self._comparison.why_return()
        if why is not None:
            self._returned = f"version {serving.predictor.version}: {why}"
            log.warning("the canary of %s is sent away, %s", self.name, self._returned)
            self._parts.metrics.canary_returned(self.name)
            self._retire("canary")

    def shadow(self, request_id: str, request: Request, answers: Answers) -> None:
        if self._drift is not None:
            self._drift.take(request.columns, request.rows)
        if self._shadow is not None:
            self._shadow.take(request_id, request, answers)

    # --- following the registry -------------------------------------------------------------------

    async def follow(self, commit: str, registry: Registry) -> None:
        """Load what the registry asks for, and let it take over; what fails its check is refused.

        Raises `ModelNotFound` where there is nothing to serve, and what a load raises, only as long as
        nothing is served yet; and `LakeRetryableError` at any time: call again then.
        """
        self._commit = commit
        if registry != self._seen:
            self._refused.clear()
        if self._seen is None or _trial_of(registry) != _trial_of(self._seen):
            self._returned = None
        self._seen = registry
        try:
            wanted = self._read(registry)
        except ModelNotFound as error:
            if "stable" not in self._slots:
                raise
            log.warning("%s; version %d stays", error, self.stable.predictor.version)
            return
        await self._take("stable", wanted.stable, commit)
        await self._take("canary", None if self._returned else wanted.canary, commit)
        self._share = wanted.share
        await self._take("shadow", wanted.shadow, commit)
        await self._follow_shadow()

    async def stop(self) -> None:
        """Answer what is under way, and let go of every version."""
        if self._shadow is not None:
            await self._shadow.stop()
        for task in list(self._retiring):
            task.cancel()
        await asyncio.gather(*(one.batcher.drain() for one in self._slots.values()), return_exceptions=True)

    def status(self) -> dict[str, Any]:
        """Say which versions are served, and which are not and why."""
        versions = {role: self._number(role) for role in ("stable", "canary", "shadow")}
        refused = [{"version": version, "why": why} for version, why in self._refused.items()]
        return {
            "commit": self._commit,
            **versions,
            "refused": refused[-1] if refused else None,
            "canary_returned": self._returned,
            "figures": self._comparison.figures(),
        }

    def _read(self, registry: Registry) -> Wanted:
        known = [int(entry["version"]) for entry in registry["versions"]]
        if self._version is not None:
            if self._version not in known:
                raise ModelNotFound(f"{self.name} has no version {self._version}")
            return Wanted(stable=self._version)
        aliases = registry["aliases"]
        if self._alias not in aliases:
            told = ", ".join(sorted(aliases)) or "none"
            raise ModelNotFound(f"{self.name} has no alias '{self._alias}'; there are: {told}")
        stable = int(aliases[self._alias])
        share = float((registry.get("shares") or {}).get("canary", 0.0))
        canary, shadow = (None if aliases.get(role) == stable else aliases.get(role) for role in _OTHERS)
        return Wanted(stable=stable, canary=canary if share > 0 else None, shadow=shadow, share=share)

    async def _take(self, role: Role, version: int | None, commit: str) -> None:
        """Let a version have a role. What cannot be had leaves the role as it is."""
        if version == self._number(role):
            return
        if version is None:
            self._retire(role)
            self._compare_anew(role)
            return
        if version in self._refused:
            return
        serving = next((one for one in self._slots.values() if one.predictor.version == version), None)
        if serving is None:
            serving = await self._load(version, commit, first=role == "stable" and role not in self._slots)
        if serving is None or (role != "stable" and not self._takes_what_clients_send(serving)):
            return
        before = self._slots.get(role)
        self._slots[role] = replace(serving, role=role)
        self._compare_anew(role)
        if role == "stable":
            self._watch_drift(serving)
            if before is not None:
                self._parts.metrics.swapped(self.name, version)
                log.info("%s: version %d takes over from %d", self.name, version, before.predictor.version)
        self._parts.metrics.serves(self.name, role, version)
        if before is not None:
            self._let_go(before)

    async def _load(self, version: int, commit: str, first: bool) -> Serving | None:
        try:
            predictor = await asyncio.to_thread(self._parts.load, self.name, version, commit)
            schema = self._parts.schema(predictor)
            await asyncio.to_thread(check_version, predictor, schema)
        except LakeRetryableError:  # says nothing of the version: the next look tries again
            raise
        except Exception as error:  # whatever a model of any time raises
            if first:
                raise
            known = isinstance(error, HeadraceError)
            self._refused[version] = str(error) if known else f"{type(error).__name__}: {error}"
            self._parts.metrics.swap_failed(self.name)
            log.warning("%s: version %d is refused: %s", self.name, version, self._refused[version])
            return None
        batcher = self._parts.batcher(predictor, schema)
        return Serving(predictor=predictor, schema=schema, batcher=batcher, role="stable")

    def _takes_what_clients_send(self, serving: Serving) -> bool:
        """Tell whether a version takes the stable one's example; else it is refused: its clients would be."""
        stable, version = self.stable.predictor, serving.predictor.version
        try:
            serving.schema.parse_json(json.dumps({"columns": stable.example}).encode())
        except RowsRejected as error:
            self._refused[version] = f"it takes other rows than version {stable.version}: {error}"
            self._parts.metrics.swap_failed(self.name)
            log.warning("%s: version %d is refused: %s", self.name, version, self._refused[version])
            return False
        return True

    def _compare_anew(self, role: Role) -> None:
        if role != "shadow":  # figures are of one version against another
            self._comparison = Comparison(self._settings.canary)

    def _retire(self, role: Role) -> None:
        before = self._slots.pop(role, None)
        self._parts.metrics.serves(self.name, role, 0)
        if before is not None:
            self._let_go(before)

    def _let_go(self, serving: Serving) -> None:
        """Drain a version that has no role any more, once whoever chose it has handed in its rows."""
        if any(one.batcher is serving.batcher for one in self._slots.values()):
            return

        async def drain() -> None:
            await asyncio.sleep(RETIRE_SECONDS)
            if not any(one.batcher is serving.batcher for one in self._slots.values()):
                await serving.batcher.drain()

        task = asyncio.create_task(drain())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _follow_shadow(self) -> None:
        serving = self._slots.get("shadow")
        if self._shadow is not None and (serving is None or self._shadow.serving is not serving):
            await self._shadow.stop()
            self._shadow = None
        if serving is not None and self._shadow is None:
            self._shadow = Shadow(self.name, serving, self._parts.metrics)

    def _watch_drift(self, serving: Serving) -> None:
        def tell(column: str, value: float) -> None:
            self._parts.metrics.drift(self.name, column, value)

        self._drift = DriftWatch(serving.predictor.profile, self._settings.drift_rows, tell)

    def _number(self, role: str) -> int | None:
        serving = self._slots.get(role)  # type: ignore[call-overload]
        return None if serving is None else int(serving.predictor.version)


def _trial_of(registry: Registry) -> tuple[Any, ...]:
    """Return what tells one trial of a canary from another: version, share and the alias's last move."""
    moves = [move for move in registry.get("history", ()) if move["alias"] == "canary"]
    share = (registry.get("shares") or {}).get("canary")
    return registry["aliases"].get("canary"), share, moves[-1] if moves else None


_OTHERS = ("canary", "shadow")
