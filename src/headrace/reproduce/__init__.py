"""Running a past run again, and comparing what it makes."""

from __future__ import annotations

from headrace.reproduce.again import Outcome, Request, pinned, reproduce
from headrace.reproduce.process import drop_branch, run_config
from headrace.reproduce.verdict import Verdict, compare_artifacts

__all__ = [
    "Outcome",
    "Request",
    "Verdict",
    "compare_artifacts",
    "drop_branch",
    "pinned",
    "reproduce",
    "run_config",
]
