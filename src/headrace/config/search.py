"""Check the nodes of a search, such as its sampler, and build them when their seed is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.config.build import build_node
from headrace.config.check import check_adapter
from headrace.core.code import CodeIndex
from headrace.core.signature import find_signature
from headrace.core.spec import TARGET
from headrace.errors import ConfigError, Problem

SEED = "seed"
_GIVEN_LATER = "search_space"  # a grid's, which the space tells


@dataclass(frozen=True, slots=True)
class NodeFactory:
    """Builds what a node describes, as often as asked.

    `needs` names arguments that the class wants and the node does not set: whoever knows the space
    gives those.
    """

    index: CodeIndex
    where: str
    node: Mapping[str, Any]
    needs: frozenset[str]

    def __call__(self, seed: int | None = None, **given: Any) -> Any:
        """Build it; each part that takes a seed and is given none gets this one.

        Raises `ConfigError` where a constructor refuses its arguments.
        """
        from hydra.errors import InstantiationException

        node = {**self.node, **given}
        try:
            return build_node(node if seed is None else _seeded(self.index, node, seed))
        except InstantiationException as error:
            found = f"{node[TARGET]} cannot be built: {error.__cause__ or error}"
            raise ConfigError.one(self.where, found, "change the arguments beside it") from error


def sampler_factory(index: CodeIndex, where: str, node: Any) -> NodeFactory:
    """Return what builds the sampler that a `_target_` node describes.

    A class that wants a `search_space`, as Optuna's grid does, may be left without.
    Raises `ConfigError` with every name and argument that is wrong. `where` is the node's key.
    """
    return _factory(index, where, node, frozenset([_GIVEN_LATER]))


def pruner_factory(index: CodeIndex, where: str, node: Any) -> NodeFactory:
    """Return what builds the pruner that a `_target_` node describes; errors as `sampler_factory`."""
    return _factory(index, where, node, frozenset())


def _factory(index: CodeIndex, where: str, node: Any, later: frozenset[str]) -> NodeFactory:
    problems = list(check_adapter(index, where, node))
    if problems:
        raise ConfigError(problems)
    target = node[TARGET]
    missing = [
        param.name
        for param in find_signature(index, target).params
        if param.required and param.name not in node and param.name != "self"
    ]
    wrong = [
        Problem(where, f"{target} needs '{name}'", f"type: {where}.{name}=<value>")
        for name in missing
        if name not in later
    ]
    if wrong:
        raise ConfigError(wrong)
    return NodeFactory(index, where, dict(node), frozenset(missing))


def _seeded(index: CodeIndex, node: Any, seed: int) -> Any:
    """Return the tree with the seed in each node that takes one and sets none."""
    if isinstance(node, list):
        return [_seeded(index, child, seed) for child in node]
    if not isinstance(node, Mapping):
        return node
    tree = {name: _seeded(index, child, seed) for name, child in node.items()}
    if TARGET in node and SEED in find_signature(index, node[TARGET]).names():
        tree.setdefault(SEED, seed)
    return tree
