"""The secrets of a past run: no record holds them, so whoever reproduces it gives them again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.core.secrets import REDACTED
from headrace.errors import CannotReproduce, WrongWord, did_you_mean


def find_redacted(config: Any, path: str = "") -> list[str]:
    """Return the keys whose values are secrets, which no record holds."""
    if isinstance(config, Mapping):
        children = [(f"{path}.{key}" if path else str(key), value) for key, value in config.items()]
    elif isinstance(config, list):
        children = [(f"{path}[{number}]", value) for number, value in enumerate(config)]
    else:
        return [path] if isinstance(config, str) and REDACTED in config else []
    return [found for where, value in children for found in find_redacted(value, where)]


def fill_in(config: Any, given: Mapping[str, str], path: str = "") -> Any:
    """Return a recorded config as OmegaConf reads it: secrets as given, and every other text as it stands.

    What is given may point into the environment (`${oc.env:NAME}`), so that no secret is on a command line.
    """
    if path in given:
        return given[path]
    if isinstance(config, Mapping):
        return {
            key: fill_in(value, given, f"{path}.{key}" if path else str(key)) for key, value in config.items()
        }
    if isinstance(config, list):
        return [fill_in(value, given, f"{path}[{number}]") for number, value in enumerate(config)]
    # The record is resolved: a `${` in it is a text that the user had escaped.
    return config.replace("${", "\\${") if isinstance(config, str) else config


def check_given(config: Mapping[str, Any], given: Mapping[str, str], run_id: str) -> None:
    """Raise `CannotReproduce` for a secret that is not given, `WrongWord` for what is none."""
    hidden = find_redacted(config)
    for name in given:
        if name not in hidden:
            hint = did_you_mean(name, hidden, "{}=…") if hidden else "this run has no secrets to give"
            raise WrongWord(f"{name} is no secret of run {run_id}, and all else is as recorded; {hint}")
    missing = [name for name in hidden if name not in given]
    if missing:
        words = " ".join(f"'{name}=${{oc.env:NAME_OF_A_VARIABLE}}'" for name in missing)
        raise CannotReproduce(
            f"run {run_id} used secrets, which no record holds: {', '.join(missing)}\n"
            f"  give them through the environment; type:\n"
            f"  python -m flows.reproduce run={run_id} {words}"
        )
