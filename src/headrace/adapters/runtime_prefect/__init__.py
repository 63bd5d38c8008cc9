"""The runtime on Prefect."""

from headrace.adapters.runtime_prefect.runtime import PrefectRuntime

__all__ = ["PrefectRuntime"]
