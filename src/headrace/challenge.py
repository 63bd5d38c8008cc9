"""Which champion a run is compared with: today's, or the one that its version had to beat back then.

The champion is an input, so publishing a run, which makes a new champion, would have the same command judge
the run anew, against itself. A result that is a version already is not judged again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from headrace.core.choice import Chosen
from headrace.core.plan import Plan, State, name_outputs
from headrace.core.spec import PublishSpec

LOOKED_AT = 20  # versions, the newest first, whose champions are tried

Pinned = Mapping[str, int | None]
"""By `model:` URI the version that it named; None where it named none."""


def read_models(told: Mapping[str, Mapping[str, Any]]) -> dict[str, int | None]:
    """Return the versions among what is told of the external inputs, by URI."""
    return {uri: about["version"] for uri, about in told.items() if uri.startswith("model:")}


def find_pinned(
    chosen: Chosen,
    plan: Plan,
    now: Pinned,
    registry: Callable[[PublishSpec], Mapping[str, Any]],
    plan_with: Callable[[Pinned], Plan],
) -> Pinned | None:
    """Return the models that the run's result was compared with when it was published, or None.

    None too where these are today's, and where some other stage is still to run. `plan_with` plans the
    run with other versions.
    """
    spec = chosen.experiment.publish
    if spec is None or not now or plan.nothing_to_run:
        return None
    readers = {s.name for s in chosen.graph.order if any(u in now for u in s.external_inputs().values())}
    judged = readers.union(*(chosen.graph.downstream(name) for name in readers))
    if any(stage.state is not State.CACHED for stage in plan.stages if stage.name not in judged):
        return None
    tried: list[Pinned] = [now]
    for version in list(reversed(registry(spec)["versions"]))[:LOOKED_AT]:
        pinned = version.get("read", {})
        if pinned.keys() != now.keys() or pinned in tried:
            continue
        tried.append(pinned)
        then = plan_with(pinned)
        if then.nothing_to_run and _package_digest(chosen, then, spec) in _digests(registry(spec)):
            return dict(pinned)
    return None


def _digests(registry: Mapping[str, Any]) -> set[str]:
    return {version["digest"] for version in registry["versions"]}


def _package_digest(chosen: Chosen, plan: Plan, spec: PublishSpec) -> str:
    stage = chosen.experiment.stage(chosen.graph.producer[spec.package])
    result = plan[stage.name].result
    assert result is not None  # nothing is to run
    return name_outputs(stage, result)[spec.package].digest
