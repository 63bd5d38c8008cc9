"""Configs of commands that name a model: what is typed is written into the composed config as it is.

The words are not Hydra's: `model=flights` would be an option of the group `conf/model/`, and a reason with a
comma a sweep. The words of a group that the config chooses from (`runtime=inline`) stay Hydra's, and those of
the project (`lake=lakefs`) are for whoever opens it: every command has the lake of `conf/train.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from headrace.config.compose import compose
from headrace.errors import Problem, did_you_mean

GROUPS = ("runtime",)
PROJECT = ("lake", "headrace_dir")  # of the project, whatever the command


def split_project(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the words of a command from those that `headrace.project.open_project` takes."""
    of_project = [word for word in words if _first_key(word) in PROJECT]
    return [word for word in words if word not in of_project], of_project


def compose_command(
    config_name: str, schema: type[Any], words: Sequence[str], problems: list[Problem]
) -> DictConfig:
    """Compose a command's config with what its line says; words that mean nothing become problems.

    Args:
        config_name: Of the primary config, which has groups among `GROUPS`.
        schema: The dataclass of its shape; nested ones are keys with dots.
        words: The command line, without those of the project.
        problems: Gets what is wrong with the words.

    Raises:
        ConfigError: What Hydra says of the words of groups.
    """
    of_groups = [word for word in words if _first_key(word) in GROUPS]
    cfg = compose(config_name, of_groups, for_experiment=False)
    types = _types(schema)
    for word in words:
        if word not in of_groups:
            problems += _write(cfg, word, types)
    return cfg


def _first_key(word: str) -> str:
    return word.partition("=")[0].partition(".")[0]


def _write(cfg: DictConfig, word: str, types: Mapping[str, str]) -> Iterator[Problem]:
    """Write `key=value` into a config; text stays as it was typed."""
    key, equals, text = word.partition("=")
    known = [*types, *(group for group in GROUPS if group in cfg), *PROJECT]
    inside = types.get(_first_key(word), "").startswith("dict") and "." in key
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


def _types(schema: type[Any], prefix: str = "") -> dict[str, str]:
    """Return the types of the keys, by their dotted names."""
    found: dict[str, str] = {}
    for one in fields(schema):
        nested: Any = one.default_factory
        if is_dataclass(nested) and isinstance(nested, type):
            found.update(_types(nested, f"{prefix}{one.name}."))
        else:
            found[f"{prefix}{one.name}"] = str(one.type)
    return found
