"""headrace: declarative machine-learning pipelines on Hydra, Prefect, lakeFS, Pandera and W&B."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.loaded import Model, load_model

__all__ = ["Model", "__version__", "load_model"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load models when somebody asks for one: importing the package alone loads nothing."""
    if name in ("Model", "load_model"):
        from importlib.metadata import EntryPoint

        # No import that could be followed: the key of every stage would depend on what a reader needs.
        return EntryPoint(name, f"headrace.loaded:{name}", "headrace").load()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
