"""Configs of commands that name a model: what is typed is written into the composed config as it is.

The words are not Hydra's: `model=flights` would be an option of the group `conf/model/`, and a reason with a
comma a sweep. Words of the project's own groups (`lake=lakefs`, `runtime=inline`) stay Hydra's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from headrace.config.compose import compose
from headrace.errors import Problem, did_you_mean

GROUPS = ("lake", "runtime", "tracker")


def compose_command(
    config_name: str,
    schema: type[Any],
    words: Sequence[str],
    problems: list[Problem],
    of_project: Sequence[str] = (),
) -> DictConfig:
    """Compose a command's config with what its line says; words that mean nothing become problems.

    Args:
        config_name: Of the primary config, which has groups among `GROUPS`.
        schema: The dataclass of its shape; nested ones are keys with dots.
        words: The command line.
        problems: Gets what is wrong with the words.
        of_project: Keys that the command takes and the config does not name.

    Raises:
        ConfigError: What Hydra says of the words of groups.
    """
    of_groups = [word for word in words if word.partition("=")[0].partition(".")[0] in GROUPS]
    cfg = compose(config_name, of_groups, for_experiment=False)
    types = _types(schema)
    for word in words:
        if word not in of_groups:
            problems += _write(cfg, word, types, of_project)
    return cfg


def _write(
    cfg: DictConfig, word: str, types: Mapping[str, str], of_project: Sequence[str]
) -> Iterator[Problem]:
    """Write `key=value` into a config; text stays as it was typed."""
    key, equals, text = word.partition("=")
    known = [*types, *(group for group in GROUPS if group in cfg), *of_project]
    inside = types.get(key.partition(".")[0], "").startswith("dict") and "." in key
    if not equals or (key not in types and not inside):
        found = "there is no such key" if equals else "is no key=value"
        yield Problem(key, found, did_you_mean(key, known, "{}=…"))
        return
    try:
        is_text = "str" in types.get(key, "") and "list[" not in types[key]
        value = text if is_text and text != "null" else yaml.safe_load(text)
    except yaml.YAMLError as error:
        yield Problem(key, f"{text!r} is no value: {str(error).splitlines()[0]}", "quote it")
        return
    OmegaConf.update(cfg, key, value, force_add=True)


def _types(schema: type[Any], prefix: str = "") -> Mapping[str, str]:
    """Return the types of the keys, by their dotted names."""
    found: dict[str, str] = {}
    for one in fields(schema):
        nested: Any = one.default_factory
        if is_dataclass(nested) and isinstance(nested, type):
            found.update(_types(nested, f"{prefix}{one.name}."))
        else:
            found[f"{prefix}{one.name}"] = str(one.type)
    return MappingProxyType(found)
