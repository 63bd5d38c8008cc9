"""What `conf/deploy.yaml` and the command line ask for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Optional

from omegaconf import MISSING, DictConfig

from headrace.config.check import check_model_name
from headrace.config.resolve import resolve
from headrace.config.serve import CanaryNode
from headrace.config.typed import typed_node
from headrace.errors import ConfigError, Problem, did_you_mean
from headrace.registry import CANARY
from headrace.serving.settings import CanarySettings

# OmegaConf reads these annotations at run time, and knows Optional[...] but not every `X | None`.

Action = Literal["version", "run", "rollback", "promote", "remove"]
ACTIONS: tuple[Action, ...] = ("run", "version", "rollback", "promote", "remove")

_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_VERSION_LIKE = re.compile(r"v[0-9]+")
_RESERVED = ("latest", "candidate")  # W&B's, and those of every model that a run made


@dataclass
class AliasNode:
    """An alias with a meaning, at `aliases.<name>`."""

    gate: bool = False  # the gate is asked again before it moves
    share: Optional[float] = None  # noqa: UP045  # of the traffic, 0 to 1; null: none of its own


@dataclass
class DeployNode:
    """The whole."""

    model: str = MISSING
    run: Optional[str] = None  # noqa: UP045  # a run id, the beginning of one, or latest
    version: Optional[int] = None  # noqa: UP045
    rollback: bool = False  # back to what the alias named before
    promote: Optional[str] = None  # noqa: UP045  # an alias: what it names, `alias` is to name
    remove: Optional[str] = None  # noqa: UP045  # an alias that is to name nothing any more
    alias: str = "production"
    share: Optional[float] = None  # noqa: UP045  # of the traffic that a canary gets
    force: Optional[str] = None  # noqa: UP045  # why to go on against a no
    wait_seconds: float = 60.0  # for running services to follow
    wandb_seconds: float = 60.0  # for the log of a run to be sent where it was not yet
    aliases: dict[str, Any] = field(default_factory=dict)
    canary: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One deployment as it is asked for. `alias` is the one that moves.

    `run`, `version` or `source` (an alias) say what to; `gate` whether the gate has a say in it. `clears`
    are aliases that are no longer needed once it has moved.
    """

    model: str
    action: Action
    alias: str
    run: str | None = None
    version: int | None = None
    source: str | None = None
    share: float | None = None
    force: str | None = None
    gate: bool = False
    clears: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploySettings:
    """A request, and how to go about it."""

    request: Request
    wait_seconds: float
    wandb_seconds: float
    canary: CanarySettings


def load_settings(cfg: DictConfig, problems: list[Problem]) -> DeploySettings:
    """Check a composed config. Raises `ConfigError` with every problem, and those that were found before."""
    data = resolve(cfg, problems)
    node: DeployNode = typed_node(DeployNode, "", data, problems)
    aliases = {name: _alias(name, one, problems) for name, one in node.aliases.items()}
    canary: CanaryNode = typed_node(CanaryNode, "canary", node.canary, problems) or CanaryNode()
    problems += [*check_model_name("model", str(node.model)), *_check_seconds(node)]
    request = _request(node, aliases, problems)
    if problems or request is None:
        raise ConfigError(problems)
    return DeploySettings(
        request=request,
        wait_seconds=node.wait_seconds,
        wandb_seconds=node.wandb_seconds,
        canary=CanarySettings(
            min_requests=canary.min_requests,
            max_error_rate=canary.max_error_rate,
            max_latency_ratio=canary.max_latency_ratio,
        ),
    )


def _alias(name: str, node: Any, problems: list[Problem]) -> AliasNode:
    found: AliasNode | None = typed_node(AliasNode, f"aliases.{name}", node, problems)
    return found or AliasNode()


def _check_seconds(node: DeployNode) -> Iterable[Problem]:
    for name in ("wait_seconds", "wandb_seconds"):
        if not 0 <= getattr(node, name) < float("inf"):
            found = f"{getattr(node, name)} is no number of seconds"
            yield Problem(name, found, f"type: {name}=60")


def _request(node: DeployNode, aliases: Mapping[str, AliasNode], problems: list[Problem]) -> Request | None:
    asked: list[Action] = [name for name in ACTIONS if getattr(node, name) not in (None, False)]
    if len(asked) != 1:
        found = "nothing says what to deploy" if not asked else f"{' and '.join(asked)} exclude each other"
        hint = "type one of: run=<id>, version=<number>, rollback=true, promote=canary, remove=canary"
        problems.append(Problem("", found, hint))
        return None
    (action,) = asked
    alias = str(node.remove) if action == "remove" else node.alias
    problems += _check_name("remove" if action == "remove" else "alias", alias)
    known = aliases.get(alias, AliasNode())
    share = known.share if node.share is None else node.share
    problems += _check_share(node, alias, known, share)
    if action == "promote" and node.promote == alias:
        problems.append(Problem("promote", f"{alias} cannot be promoted to itself", "type: promote=canary"))
    if node.force is not None and not node.force.strip():
        problems.append(Problem("force", "gives no reason", "type: 'force=why it is right'"))
    if action == "remove" and known.gate and node.force is None:
        hint = f"type: rollback=true alias={alias}, or say why: 'force=why it is right'"
        problems.append(Problem("remove", f"{alias} is what services answer by", hint))
    return Request(
        model=node.model,
        action=action,
        alias=alias,
        run=node.run,
        version=node.version,
        source=node.promote,
        share=None if action == "remove" else share,
        force=node.force,
        gate=known.gate and action not in ("rollback", "remove"),
        clears=(CANARY,) if action == "promote" and node.promote == CANARY else (),
    )


def _check_name(where: str, alias: str) -> Iterable[Problem]:
    if not _ALIAS.fullmatch(alias):
        found = f"{alias!r} is no name: letters, digits, _ and -, a letter first"
        yield Problem(where, found, f"type: {where}=staging")
    elif _VERSION_LIKE.fullmatch(alias) or alias in _RESERVED:
        yield Problem(where, f"{alias!r} is a name that W&B gives itself", f"type: {where}=staging")


def _check_share(node: DeployNode, alias: str, known: AliasNode, share: float | None) -> Iterable[Problem]:
    if share is not None and not 0 < share <= 1:
        yield Problem(
            "share", f"{share} is no share of the traffic, above 0 and at most 1", "type: share=0.1"
        )
    if node.share is not None and known.share is None:
        hint = did_you_mean(alias, [CANARY], "alias={}")
        yield Problem("share", f"{alias} has no share of the traffic", hint)
