"""How a field of the schema finds its value: a registered function, or an attribute of that name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from headrace.testing.wandb.storage import Storage
from headrace.testing.wandb.store import Store

Arguments = Mapping[str, Any]
"""The arguments of a field, as the client named them; what it left out is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What every resolver may use."""

    store: Store
    storage: Storage


Resolver = Callable[[Any, Context, Arguments], Any]
Registered = TypeVar("Registered", bound=Resolver)


class Fields:
    """The resolvers of one domain, by type and field.

    A resolver takes the parent, the context and the arguments of the field.
    """

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Resolver] = {}

    def __call__(self, *names: str) -> Callable[[Registered], Registered]:
        """Register a resolver for each `Type.field`."""

        def register(resolver: Registered) -> Registered:
            for name in names:
                type_name, _, field = name.partition(".")
                self.found[(type_name, field)] = resolver
            return resolver

        return register


def read_attribute(parent: Any, name: str) -> Any:
    """Return what a dict holds under a name, or an object under it in snake case.

    Raises `LookupError` where there is neither, so that no field is empty for want of a resolver.
    """
    if isinstance(parent, Mapping):
        return parent[name]
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    if not hasattr(parent, snake):
        raise LookupError(f"the stand-in has no value for {name} of {type(parent).__name__}")
    return getattr(parent, snake)


def paged(items: Sequence[Any], arguments: Arguments) -> dict[str, Any]:
    """Return a connection's page: `first` items after the cursor `after`, which is a position."""
    start = int(arguments.get("after") or 0)
    first = arguments.get("first")
    page = items[start:] if first is None else items[start : start + first]
    end = start + len(page)
    return {
        "totalCount": len(items),
        "pageInfo": {"endCursor": str(end) if page else None, "hasNextPage": end < len(items)},
        "edges": [{"node": item, "cursor": str(start + n + 1)} for n, item in enumerate(page)],
    }
