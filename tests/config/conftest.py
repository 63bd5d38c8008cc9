"""Configs composed as a command composes them, and a project's own `conf/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from headrace.config.compose import compose
from headrace.config.load import Loaded, load_config
from headrace.core.code import CodeIndex
from headrace.errors import ConfigError

REMEMBERED: dict[tuple[str, Path, int], Any] = {}


def remember(kind: str, file: Path, compute: Callable[[], Any]) -> Any:
    """Read each library file once for all tests; that these differ in their configs is the point."""
    key = (kind, file, file.stat().st_mtime_ns)
    if key not in REMEMBERED:
        REMEMBERED[key] = compute()
    return REMEMBERED[key]


@pytest.fixture
def load() -> Callable[..., Loaded]:
    """Compose overrides and check what they make."""

    def load_overrides(*overrides: str) -> Loaded:
        return load_config(compose("train", overrides), CodeIndex(remember))

    return load_overrides


@pytest.fixture
def refused(load: Callable[..., Loaded]) -> Callable[..., list[str]]:
    """Return each problem of overrides on one line, under the exit code for a wrong config."""

    def refuse(*overrides: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(*overrides)
        assert caught.value.exit_code == 2
        return [" ".join(str(problem).split()) for problem in caught.value.problems]

    return refuse


@pytest.fixture
def conf(project: Path) -> Callable[[Mapping[str, str]], None]:
    """Write YAML files (path below conf/: text) into a project of one's own."""

    def write(files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = project / "conf" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def experiment() -> Callable[..., str]:
    """Return the text of an experiment file `mine`, made of penguins and further lines."""

    def text(*lines: str) -> str:
        return "\n".join(["# @package _global_", "defaults:", "  - penguins", "name: mine", *lines, ""])

    return text
