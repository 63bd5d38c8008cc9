"""What a run left in the lake, read for a report: everything is optional, and what is gone is told once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.adapters.codec_table import TableCodec
from headrace.core.artifact import Artifact
from headrace.core.ports import LakeReader, ObjectInfo
from headrace.core.record import RunRecord
from headrace.core.report import Figure
from headrace.errors import LakeError, StageError

if TYPE_CHECKING:
    import pandas as pd


class Artifacts:
    """The artifacts of one run by name. `problems` says of each that could not be read why."""

    def __init__(self, record: RunRecord, lake: LakeReader) -> None:
        self.record = record
        self.problems: list[str] = []
        self._lake = lake
        self._made = {name: artifact for stage in record.stages for name, artifact in stage.outputs.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._made

    def find(self, name: str) -> Artifact | None:
        return self._made.get(name)

    def names(self, codec: str) -> list[str]:
        """Return the names of the artifacts that one codec stored, in the order of the stages."""
        return [name for name, artifact in self._made.items() if artifact.codec == codec]

    def document(self, name: str) -> dict[str, Any]:
        """Return a JSON artifact that is a mapping; {} where there is none."""
        artifact = self._made.get(name)
        if artifact is None or artifact.codec != "json":
            return {}
        try:
            read = json.loads(self._path(artifact).read_bytes())
        except (LakeError, OSError, ValueError) as error:
            self.problems.append(f"{name} cannot be read: {error}")
            return {}
        return read if isinstance(read, dict) else {}

    def table(self, name: str) -> pd.DataFrame | None:
        """Return a table; None where there is none."""
        artifact = self._made.get(name)
        if artifact is None or artifact.codec != "parquet":
            return None
        try:
            table: pd.DataFrame = TableCodec().read(self._path(artifact), "pandas.DataFrame")
        except (LakeError, StageError, OSError, ValueError) as error:
            self.problems.append(f"{name} cannot be read: {error}")
            return None
        return table

    def figures(self, name: str) -> dict[str, Figure]:
        """Return the charts in an artifact by name: those that have a picture or a specification."""
        artifact = self._made.get(name)
        if artifact is None or artifact.codec != "figure":
            return {}
        try:
            listing = self._lake.list(artifact.commit, prefix=f"{artifact.path}/")
            paths = [info.path for info in listing if isinstance(info, ObjectInfo)]
            files = {
                Path(path).relative_to(artifact.path).as_posix(): self._lake.local_path(artifact.commit, path)
                for path in paths
                if path.endswith((".png", ".json"))
            }
            stems = sorted({name.rpartition(".")[0] for name in files})
            return {stem: _figure(stem, files) for stem in stems}
        except (LakeError, OSError, ValueError) as error:
            self.problems.append(f"{name} cannot be read: {error}")
            return {}

    def _path(self, artifact: Artifact) -> Path:
        return self._lake.local_path(artifact.commit, artifact.path)


def _figure(name: str, files: Mapping[str, Path]) -> Figure:
    """Read a chart with what it says of itself in `usermeta`."""
    picture, text = files.get(f"{name}.png"), files.get(f"{name}.json")
    spec = json.loads(text.read_bytes()) if text is not None else None
    told = (spec or {}).get("usermeta", {}).get("headrace", {})
    title = str(told.get("title") or name.replace("_", " "))
    return Figure(
        title=title,
        alt=str(told.get("alt") or title),
        caption=str(told.get("caption") or ""),
        spec=spec,
        png=picture.read_bytes() if picture is not None else b"",
    )
