"""What earlier commands left: finish what is in the lake, undo what is refused, forget the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from headrace.deploy.journal import Deployment
from headrace.deploy.step import Step, told
from headrace.errors import DeploymentUndone, DeploymentUnfinished
from headrace.publish import find_published
from headrace.registry import drop_changes, find_move, find_numbered, history, holder, read_current


def finish_earlier(step: Step, model: str, alias: str = "", wait: bool = True) -> list[Deployment]:
    """Finish, undo or forget what earlier commands left of a model; returns what has ended by that.

    `alias` is the one that moves next: nobody waits for services to follow a move that is over in a
    moment, nor without `wait`. What they do not follow yet is left to the next command, and told.
    """
    ended = []
    for left in step.journal.unfinished(model):
        superseded = left.alias == alias
        found = _finish(step, left, step.wait_seconds if wait and not superseded else 0.0, superseded)
        ended += [found] if found.ended else []
    return ended


def _finish(step: Step, left: Deployment, seconds: float, superseded: bool) -> Deployment:
    _, registry = read_current(step.lake, left.model)
    found = find_move(registry, left.id)
    if found is None:
        drop_changes(step.lake, left.id)
        step.journal.forget(left.id)
        step.tell("earlier", f"{told(left)}: was not in the lake yet, so it is forgotten")
        return replace(left, state="undone", said="never in the lake")
    one = replace(left, to=found["to"])
    if find_move(registry, left.id, undo=True) is not None:
        step.tell("earlier", f"{told(one)}: was being taken back, which is finished now")
        return step.finish_undo(one, "refused by a service")
    if left.publishes and one.to is not None:
        step.keep_published_as(one, find_published(step.lake, one.model, find_numbered(registry, one.to)))
    if _is_over(registry, one):
        step.tell_wandb(one)
        step.tell("earlier", f"{told(one)}: the alias moved on since")
        return step.end(one, "done", "the alias moved on")
    step.tell("earlier", f"{told(one)}: is in the lake, so the rest follows now")
    try:
        return step.follow(one, seconds)
    except DeploymentUndone as undone:
        step.tell("earlier", str(undone))
        return replace(one, state="undone", said=str(undone))
    except DeploymentUnfinished as unfinished:
        if not superseded:
            step.tell("earlier", str(unfinished))
            return one
        return step.end(one, "done", f"superseded; {unfinished}")


def _is_over(registry: Mapping[str, Any], one: Deployment) -> bool:
    """Tell whether the alias has moved since a deployment moved it."""
    last = history(registry, one.alias)[-1]
    return holder(registry, one.alias) != one.to or last.get("deployment") != one.id
