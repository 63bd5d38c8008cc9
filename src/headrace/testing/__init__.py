"""Contract suites: subclass one in a test module and give it your adapter."""

from __future__ import annotations
