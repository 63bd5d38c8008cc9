"""Running a past run again, and comparing what it makes."""

from __future__ import annotations

from headrace.reproduce.again import Request, reproduce
from headrace.reproduce.verdict import Verdict, compare_artifacts

__all__ = ["Request", "Verdict", "compare_artifacts", "reproduce"]
