"""A model's registry: which versions there are, which one each alias names, and how that came to be.

It is one object on `main`, `models/<name>/registry.json`, so that an alias moves as one commit: atomic,
with history, and two that race meet in a merge conflict, after which the second one decides anew.
"""

from __future__ import annotations

from headrace.registry.change import Moved, drop_changes, move_alias, remove_alias, tag_version
from headrace.registry.moves import ANY, Move, Why, find_before, find_move, history, require_holder
from headrace.registry.read import (
    FORMAT,
    find_aliased,
    find_numbered,
    find_tag,
    find_version,
    holder,
    list_models,
    read_current,
    read_registry,
    registry_path,
    require_versions,
    tag_name,
)

CANARY, SHADOW = "canary", "shadow"  # aliases with a meaning for the service that answers by another one

__all__ = [
    "ANY",
    "CANARY",
    "FORMAT",
    "SHADOW",
    "Move",
    "Moved",
    "Why",
    "drop_changes",
    "find_aliased",
    "find_before",
    "find_move",
    "find_numbered",
    "find_tag",
    "find_version",
    "history",
    "holder",
    "list_models",
    "move_alias",
    "read_current",
    "read_registry",
    "registry_path",
    "remove_alias",
    "require_holder",
    "require_versions",
    "tag_name",
    "tag_version",
]
