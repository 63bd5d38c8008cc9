"""The Prefect server that a run reports to: the project's own, or the one that is configured."""

from headrace.adapters.server_prefect.configured import configured_api_url, require_configured_api_url
from headrace.adapters.server_prefect.local import LocalServer, ServerError, ServerStatus

__all__ = ["LocalServer", "ServerError", "ServerStatus", "configured_api_url", "require_configured_api_url"]
