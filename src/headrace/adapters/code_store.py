"""What the modules of past runs defined, by the digest of each module."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path


class CodeStore:
    """One small JSON file a module digest. Losing it costs words in a reason and nothing else."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, digest: str) -> dict[str, str] | None:
        """Return the digests of a module's definitions by name; None where nobody kept them."""
        try:
            found = json.loads(self._file(digest).read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def put(self, digest: str, definitions: Mapping[str, str]) -> None:
        """Keep them, where they are not kept yet."""
        file = self._file(digest)
        if file.exists():
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f".{digest}.{secrets.token_hex(4)}")
        temporary.write_text(json.dumps(dict(definitions)), encoding="utf-8")
        os.replace(temporary, file)

    def _file(self, digest: str) -> Path:
        return self._root / f"{digest}.json"
