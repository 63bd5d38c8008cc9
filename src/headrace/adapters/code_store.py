"""What the modules of past runs defined, by the digest of each module."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

FORMAT = 2  # raise it when the names of definitions, or what their digests are of, change


class CodeStore:
    """One small JSON file a module digest. Losing it costs words in a reason and nothing else.

    Safe from several threads and processes: whoever puts the same digest puts the same content.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._kept: set[str] = set()  # each run asks for every module of every stage

    def get(self, digest: str) -> dict[str, str] | None:
        """Return the digests of a module's definitions by name; None where nobody kept them.

        What is damaged, or of another format, counts as not kept.
        """
        try:
            found = json.loads(self._file(digest).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            return None
        told = found.get("definitions")
        if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
            return None
        return told

    def put(self, digest: str, definitions: Mapping[str, str]) -> None:
        """Keep them, where they are not kept yet. A folder that cannot be written to is no error."""
        if digest in self._kept:
            return
        self._kept.add(digest)
        if self.get(digest) is not None:
            return
        text = json.dumps({"format": FORMAT, "definitions": dict(definitions)})
        with suppress(OSError):
            self._root.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self._root, prefix=".code-")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(text)
                os.replace(temporary, self._file(digest))
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise

    def _file(self, digest: str) -> Path:
        return self._root / f"{digest}.json"
