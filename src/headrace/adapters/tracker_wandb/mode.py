"""Whether a run is logged online, offline or not at all."""

from __future__ import annotations

import logging
import netrc
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

# Where the client goes by default, and where it went before: it takes the key of either.
CLOUD = {"api.forge.coreweave.com", "api.wandb.ai"}
MODES = ("auto", "online", "offline", "disabled")


def choose_mode(mode: str, environ: Mapping[str, str]) -> str:
    """Return `online`, `offline` or `disabled`; what nobody knows is `auto`, with a warning."""
    chosen = environ.get("WANDB_MODE") or mode
    if environ.get("WANDB_DISABLED", "").lower() in ("true", "1"):
        chosen = "disabled"
    chosen = {"dryrun": "offline", "run": "online", "shared": "online"}.get(chosen, chosen)
    if chosen not in MODES:
        log.warning("W&B: the mode %r is none of %s: taking auto.", chosen, ", ".join(MODES))
        chosen = "auto"
    if chosen == "auto":
        return "online" if has_key(environ) else "offline"
    return chosen


def has_key(environ: Mapping[str, str]) -> bool:
    """Tell whether W&B's client would find a key: in `WANDB_API_KEY`, or in netrc for its server."""
    if environ.get("WANDB_API_KEY"):
        return True
    hosts = {urlsplit(environ["WANDB_BASE_URL"]).hostname} if environ.get("WANDB_BASE_URL") else CLOUD
    home = Path(environ.get("HOME") or Path.home())
    places = [Path(environ["NETRC"])] if environ.get("NETRC") else [home / ".netrc", home / "_netrc"]
    for place in places:
        try:
            if not hosts.isdisjoint(netrc.netrc(str(place)).hosts):
                return True
        except (OSError, netrc.NetrcParseError):
            continue  # W&B could not read its key there either
    return False
