"""Say what is wrong with overrides that Hydra cannot compose: all of it, and what to type instead."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from headrace.config.compose import COMPOSE_ERRORS, STAGE_KEYS, VERSION_BASE, complete, group_options
from headrace.config.folders import packaged_conf, project_conf
from headrace.config.load import load_config
from headrace.core.code import CodeIndex
from headrace.errors import ConfigError, Problem, did_you_mean

_ROUNDS_AT_MOST = 12
_COULD_NOT = re.compile(r"Could not (?:override|append|delete|load)[^']*'([^']+)'")


def find_problems(config_name: str, overrides: Sequence[str], first: Exception) -> list[Problem]:
    """Take away the override that Hydra stumbles over, again and again, and name each one."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(version_base=VERSION_BASE, config_dir=str(project_conf())):
        good = list(overrides)
        bad: list[tuple[str, Exception]] = []
        cfg: DictConfig | None = None
        error = first
        for _ in range(_ROUNDS_AT_MOST):
            blamed = _blame(error, good) or _blame_by_trial(error, good, config_name)
            if blamed is None:
                return [*_explain_all(bad, None), _explain(error, "", [])]
            good.remove(blamed)
            bad.append((blamed, error))
            try:
                cfg = hydra.compose(config_name, overrides=complete(good))
                break
            except COMPOSE_ERRORS as next_error:
                error = next_error
        return [*_explain_all(bad, cfg), *_problems_of_rest(cfg)]


def first_of_sweep(overrides: Sequence[str]) -> list[str]:
    """Take the first value of each override that sweeps, so that one config can be composed."""
    found = []
    for override in overrides:
        try:
            parsed = OverridesParser.create().parse_override(override)
        except HydraException:
            found.append(override)
            continue
        if parsed.is_sweep_override():
            value = next(iter(parsed.sweep_string_iterator()))
            override = f"{override.partition('=')[0]}={value}"
        found.append(override)
    return found


def _blame(error: Exception, overrides: Sequence[str]) -> str | None:
    """Return the override that an error is about, or None where a file is to blame."""
    if isinstance(error, OverrideParseException):
        return next((o for o in overrides if o in (error.override, error.override.lstrip("+"))), None)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = error.missing_cfg_file.rpartition("/")
        exact = [o for o in overrides if _name(o) == group and o.partition("=")[2] == option]
        if exact:
            return exact[0]
    found = _COULD_NOT.search(str(error))
    if found:
        named = re.sub(r"\.\.\.$", "", found[1]).split("@")[0].replace("/", ".")
        for override in overrides:
            if _name(override).split("@")[0].replace("/", ".") == named.partition("=")[0].lstrip("+~"):
                return override
    named_whole = [o for o in overrides if o in str(error)]
    return named_whole[0] if named_whole else None


def _blame_by_trial(error: Exception, overrides: Sequence[str], config_name: str) -> str | None:
    """Return the override without which the error is another one or none; for errors that name nothing."""
    if type(error) is not ValueError:
        return None
    for override in overrides:
        rest = [other for other in overrides if other != override]
        try:
            hydra.compose(config_name, overrides=complete(rest))
        except COMPOSE_ERRORS as other_error:
            if str(other_error) == str(error):
                continue
        return override
    return None


def _name(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def _explain_all(bad: Sequence[tuple[str, Exception]], cfg: DictConfig | None) -> Iterator[Problem]:
    keys = list(_keys(cfg)) if cfg is not None else []
    for override, error in bad:
        yield _explain(error, override, keys)


def _explain(error: Exception, override: str, keys: Sequence[str]) -> Problem:
    name, equals, value = override.partition("=")
    plain = _name(override)
    if isinstance(error, MissingConfigException):
        return _explain_missing(error, name, value)
    if isinstance(error, YAMLError):
        return _explain_yaml(error)
    if type(error) is ValueError and equals:
        below = f"type: {plain}/<group>=<option>"
        hint = did_you_mean(value, group_options(plain), f"{plain}={{}}") if group_options(plain) else below
        return Problem(plain, f"'{value}' is none of its options", hint)
    is_composition = isinstance(error, ConfigCompositionException)
    if is_composition and equals and not isinstance(error, OverrideParseException) and plain not in keys:
        if group_options(value and plain):
            return Problem(plain, f"nothing chooses {plain} yet", f"type: +{plain}={value}")
        hint = _near_key(plain, keys, value) if keys else ""
        return Problem(plain, f"there is no such key ({override})", hint)
    lines = " ".join(line.strip() for line in str(error).splitlines()[:3] if line.strip())
    hint = "type: key=value; quote what is special: 'key=\"a, b\"'"
    found = lines.partition(" Config search path")[0].partition(" See https")[0]
    return Problem(override, found, hint if isinstance(error, OverrideParseException) else "")


def _explain_yaml(error: YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return Problem("", f"a config file is not YAML: {error}")
    found = f"not YAML: {getattr(error, 'problem', error)}"
    return Problem(f"{mark.name}, line {mark.line + 1}, column {mark.column + 1}", found, "correct this line")


def _near_key(plain: str, keys: Sequence[str], value: str) -> str:
    """Look among the keys beside it where its parent exists, else among all."""
    parent, dot, last = plain.rpartition(".")
    if dot and parent in keys:
        beside = [key[len(parent) + 1 :] for key in keys if key.rpartition(".")[0] == parent]
        if parent.rpartition(".")[0] == "stages":
            beside += STAGE_KEYS  # a stage's YAML need not name them all
        return did_you_mean(last, beside, f"{parent}.{{}}={value}")
    return did_you_mean(plain, keys, f"{{}}={value}")


def _explain_missing(error: MissingConfigException, name: str, value: str) -> Problem:
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    options = list(error.options or group_options(group))
    plain = name.lstrip("+")
    if not name or option != value:
        # The override is fine, if there was one, and a file that it names is not.
        where = _file_that_names(group, option) or str(error).partition("'")[2].partition("'")[0] + ".yaml"
        found = f"there is no {group} '{option}'"
        return Problem(f"conf/{where}", found, did_you_mean(option, options, f"override /{group}: {{}}"))
    if not options:
        groups = [*group_options(""), *GlobalHydra.instance().config_loader().list_groups("")]
        return Problem(plain, "there is no such group", did_you_mean(plain, groups, f"{{}}={value}"))
    near = did_you_mean(value, options, f"{name}={{}}")
    listed = "" if near.startswith("there are") else f"; there are: {', '.join(options)}"
    return Problem(plain, f"there is no {plain} '{value}'", f"{near}{listed}")


def _file_that_names(group: str, option: str) -> str | None:
    """Return the file whose defaults name an option; Hydra blames the root for what is overridden there."""
    named = re.compile(rf"\b{re.escape(group)}\s*:\s*['\"]?{re.escape(option)}\b")
    for folder in (project_conf(), packaged_conf()):
        for file in sorted(folder.rglob("*.yaml")):
            if named.search(file.read_text(encoding="utf-8")):
                return file.relative_to(folder).as_posix()
    return None


def _problems_of_rest(cfg: DictConfig | None) -> list[Problem]:
    """Check what remains of the config without the overrides that are wrong."""
    if cfg is None or OmegaConf.is_missing(cfg, "name"):
        return []
    try:
        load_config(cfg, CodeIndex(lambda kind, path, compute: compute()))
    except ConfigError as error:
        return error.problems
    return []


def _keys(cfg: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in cfg:
        path = f"{prefix}{key!s}"
        yield path
        node = cfg._get_node(key)
        if isinstance(node, DictConfig) and not (
            node._is_none() or node._is_missing() or node._is_interpolation()
        ):
            yield from _keys(node, f"{path}.")
