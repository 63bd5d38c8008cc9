"""Build what `_target_` nodes describe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.core.spec import find_targets


def build_node(node: Mapping[str, Any]) -> Any:
    """Return the tree with each mapping that has a `_target_` called into what it names.

    Plain trees come back as they are. Raises what the constructors raise.
    """
    if not find_targets(node):
        return dict(node)
    from hydra.utils import instantiate

    return instantiate(dict(node), _convert_="all")
