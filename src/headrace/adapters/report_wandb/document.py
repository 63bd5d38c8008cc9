"""A report for W&B, before its client makes it: plain JSON, which may wait for a network.

Its runs are named as headrace names them. What W&B calls them may change until they are sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

TITLE_AT_MOST = 128
IDS_AT_MOST = 100  # of runs in a filter; more are filtered by their group

Block = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where W&B has a run. No entity is the key's own."""

    entity: str | None
    project: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A report in W&B. `share` is a link that lets anybody read it: show it, and keep it nowhere."""

    id: str
    url: str
    created: bool
    share: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a report says, in blocks that `blocks.py` turns into those of W&B's client.

    `name` is that of what is reported on: by it the same report is found again.
    """

    name: str
    title: str
    subtitle: str
    blocks: tuple[Block, ...]

    @property
    def marker(self) -> str:
        """Return the word in the description by which the report is found."""
        return marker_of(self.name)

    @property
    def description(self) -> str:
        return f"{self.subtitle} {self.marker}".strip()

    @property
    def runs(self) -> list[str]:
        """Return the runs that blocks name, as headrace names them."""
        named = [run for block in self.blocks for run in (*block.get("runs", ()), block.get("run"))]
        return [run for run in dict.fromkeys(named) if run is not None]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Document:
        """Raises `KeyError` where this is no document."""
        return cls(
            name=data["name"], title=data["title"], subtitle=data["subtitle"], blocks=tuple(data["blocks"])
        )


def marker_of(name: str) -> str:
    return f"headrace:{name}"


def fit_title(title: str) -> str:
    """Return a title of W&B's length, without what its client would put into a URL as it is."""
    plain = " ".join("".join(" " if c in "/?#%&\\" else c for c in title).split())
    return plain if len(plain) <= TITLE_AT_MOST else f"{plain[: TITLE_AT_MOST - 1].rstrip()}…"


# --- blocks -------------------------------------------------------------------------------------


def heading(text: str) -> Block:
    return {"block": "heading", "text": text}


def markdown(text: str) -> Block:
    return {"block": "markdown", "text": text}


def grid(runs: Sequence[str], panels: Sequence[Block], group: str | None = None) -> Block:
    """Return the table of some runs with panels of their figures. Many runs are those of `group`."""
    return {"block": "grid", "runs": list(runs), "group": group, "panels": list(panels)}


def lineage(run: str) -> Block:
    """Return what a run read and made, as artifacts: which they are is asked of the server."""
    return {"block": "lineage", "run": run}


# --- panels -------------------------------------------------------------------------------------


def run_comparer(only_differences: bool) -> Block:
    return {"panel": "comparer", "only_differences": only_differences}


def bars(metrics: Sequence[str]) -> Block:
    return {"panel": "bars", "metrics": list(metrics)}


def parallel_coordinates(params: Mapping[str, bool], objectives: Mapping[str, str]) -> Block:
    """Return params against objectives; a param is said to be shown by its logarithm or not."""
    return {"panel": "parallel", "params": dict(params), "objectives": dict(objectives)}


def importance(metric: str) -> Block:
    return {"panel": "importance", "metric": metric}
