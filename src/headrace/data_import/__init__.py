"""Import: files of a folder into `main`, through a branch: write, audit, publish by one merge."""

from __future__ import annotations

from headrace.data_import.audit import ImportRejected
from headrace.data_import.find import ImportFailed
from headrace.data_import.write import BRANCH_PREFIX, ImportConflict, ImportReport, import_data

__all__ = [
    "BRANCH_PREFIX",
    "ImportConflict",
    "ImportFailed",
    "ImportRejected",
    "ImportReport",
    "import_data",
]
