"""Puts headrace's own `conf/` behind the user's, so that any file of it can be overridden."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from headrace.config.folders import packaged_conf


class HeadraceSearchPath(SearchPathPlugin):
    """Appends the packaged folder unless it is there already."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        path = f"file://{packaged_conf()}"
        if all(item.path.removeprefix("file://") != str(packaged_conf()) for item in search_path.get_path()):
            search_path.append(provider="headrace", path=path)
