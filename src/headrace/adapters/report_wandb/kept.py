"""Which report of W&B is that of a run or a sweep: its id and URL, and never a link that is shared."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from headrace.adapters.report_wandb.document import Saved

FILE = "wandb.json"


def read_kept(folder: Path) -> dict[str, str] | None:
    """Return `id` and `url`; None where none is known, or the file is damaged."""
    try:
        found = json.loads((folder / FILE).read_bytes())
        return {"id": str(found["id"]), "url": str(found["url"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_kept(folder: Path, saved: Saved) -> None:
    """Keep which report it is; a reader sees the old file or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as part:
        json.dump({"id": saved.id, "url": saved.url}, part)
    Path(part.name).chmod(0o644)
    os.replace(part.name, folder / FILE)
