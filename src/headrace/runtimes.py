"""The runtime that a config asks for, and the server that it may need."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from headrace.adapters.cache_files import FileStageCache
from headrace.config.schema import CLUSTERS
from headrace.core.ports import Runtime
from headrace.core.sweep import SweepRef
from headrace.errors import ConfigError


class RuntimeChoice(Protocol):
    """What a config says of its runtime."""

    @property
    def runtime_kind(self) -> str: ...

    @property
    def max_workers(self) -> int | None: ...


class Runtimes:
    """The runtime of a config, and the server that it may need."""

    def __init__(
        self, root: Path, loaded: RuntimeChoice, cache_files: FileStageCache, sweep: SweepRef | None
    ) -> None:
        self._root = root
        self._kind = loaded.runtime_kind
        self._max_workers = loaded.max_workers
        self._cache = cache_files
        self._sweep = sweep

    def check(self) -> None:
        """Raise `ConfigError` where the runtime wants an API that nobody configured."""
        if self._kind == "cloud":
            from headrace.adapters.server_prefect import require_configured_api_url

            require_configured_api_url()
        if self._kind in CLUSTERS and find_spec(f"prefect_{self._kind}") is None:
            found = f"{self._kind} needs prefect-{self._kind}, which is not installed"
            raise ConfigError.one("runtime.kind", found, f"type: pip install 'headrace[{self._kind}]'")

    def begin(self) -> None:
        """Start the local server where one is needed and none runs, without waiting for it."""
        if self._on_own_server():
            local_server(self._root).begin()

    def hint(self) -> str:
        """Say how to stop the server that a run may leave running; '' where there is none of ours."""
        if not self._on_own_server():
            return ""
        from headrace.adapters.server_prefect import configured_api_url

        return "" if configured_api_url() else "this project's own server; to stop it: headrace server stop"

    def build(self) -> Runtime:
        if self._kind == "inline":
            from headrace.adapters.runtime_inline import InlineRuntime

            return InlineRuntime(self._cache)
        from headrace.adapters.runtime_prefect import PrefectRuntime
        from headrace.adapters.server_prefect import require_configured_api_url

        url = local_server(self._root).url if self._on_own_server() else require_configured_api_url
        return PrefectRuntime(
            url,
            self._cache.root,
            max_workers=self._max_workers,
            parent_id=self._sweep.flow_run_id if self._sweep else None,
        )

    def _on_own_server(self) -> bool:
        """Tell whether a run goes to the project's own server where no other one is configured.

        So does a run on a cluster, which only has the jobs of sweeps: the stages of one job run together.
        """
        return self._kind in ("local", *CLUSTERS)


@cache
def local_server(root: Path) -> Any:
    """Return the project's Prefect server; nothing is started by that."""
    from headrace.adapters.server_prefect import LocalServer

    return LocalServer(root / "server")
