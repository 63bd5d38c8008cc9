"""Which lake the jobs of a sweep must find: an embedded one is of one machine, or of one shared disk."""

from __future__ import annotations

import socket

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.core.ports import LakeStore
from headrace.errors import HeadraceError


class OtherLake(HeadraceError):
    """A worker has another lake than its sweep, which would never see what the job stores."""


def is_of_one_machine(lake: LakeStore) -> bool:
    """Tell whether no other machine may use a lake."""
    return isinstance(lake, EmbeddedLake) and not lake.shared_disk


def lake_place(lake: LakeStore) -> str | None:
    """Say where an embedded lake is; None of any other, which may have an address for each network."""
    if not isinstance(lake, EmbeddedLake):
        return None
    folder = lake.root.absolute()
    return f"{folder}, shared" if lake.shared_disk else f"{folder} of {socket.gethostname()}"


def check_lake(lake: LakeStore, wanted: str | None) -> None:
    """Raise `OtherLake` where a worker's lake is not at the place that its sweep says."""
    found = lake_place(lake)
    if found == wanted:
        return
    raise OtherLake(
        f"the lake of the sweep is {wanted or 'on a server'}, that of this worker {found or 'on a server'}: "
        "use lake=lakefs, or lake.shared_disk=true and a project at the same path of a disk that both share"
    )
