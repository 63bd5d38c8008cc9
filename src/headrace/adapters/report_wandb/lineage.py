"""What a run read and made, as W&B's artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

PICTURES_AT_MOST = 40  # linked from a report

Tab = Literal["lineage", "files"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One version of an artifact; `url` is where W&B shows it, `files` those to link to."""

    name: str
    version: str
    kind: str
    used: bool
    url: str
    files: tuple[str, ...] = ()

    @property
    def shown_as(self) -> Tab | None:
        """Return which view of it a report holds: of models where they come from, of figures the files."""
        if self.kind == "model" and not self.used:
            return "lineage"
        return "files" if self.kind == "figures" else None


def find_artifacts(api: Any, path: str, app_url: str) -> list[Artifact]:
    """Return what a run used, then what it logged; nothing of a run that the server does not have."""
    from wandb.apis.public.runs import RunNotFoundError
    from wandb.errors import CommError

    try:
        run = api.run(path)
    except CommError as error:
        if isinstance(error.exc, RunNotFoundError):
            return []
        raise
    return [*_told(run.used_artifacts(), True, app_url), *_told(run.logged_artifacts(), False, app_url)]


def _told(artifacts: Iterable[Any], used: bool, app_url: str) -> Iterator[Artifact]:
    for one in artifacts:
        name = one.name.partition(":")[0]
        place = f"{app_url}/{one.entity}/{one.project}/artifacts/{one.type}/{name}/{one.version}"
        files: tuple[str, ...] = ()
        if one.type == "figures":
            files = tuple(file for file in sorted(one.manifest.entries) if file.endswith(".png"))
        yield Artifact(name=name, version=one.version, kind=one.type, used=used, url=place, files=files)


def lineage_text(artifacts: list[Artifact]) -> str:
    """Return Markdown: each artifact with a link, and the pictures of figures with one each."""
    lines = ["| | artifact | kind |", "|---|---|---|"]
    for one in artifacts:
        lines.append(
            f"| {'read' if one.used else 'made'} | [{one.name}:{one.version}]({one.url}) | {one.kind} |"
        )
    pictures = [(one, file) for one in artifacts for file in one.files]
    if pictures:
        links = [f"[{file.removesuffix('.png')}]({one.url}/files/{file})" for one, file in pictures]
        lines += ["", f"Pictures: {', '.join(links[:PICTURES_AT_MOST])}"]
    return "\n".join(lines)
