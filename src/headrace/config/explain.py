"""Say what is wrong with overrides that Hydra cannot compose: all of it, and what to type instead."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import fields
from difflib import get_close_matches

import hydra
import yaml
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
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
from headrace.config.sweep_settings import LauncherNode, SweeperNode
from headrace.core.code import CodeIndex
from headrace.core.secrets import redact_overrides
from headrace.errors import ConfigError, Problem, did_you_mean

_ROUNDS_AT_MOST = 12
_NEAR = 0.65  # `acuracy` is near `accuracy`; `balanced_accuracy` is another metric
_HYDRA_NODES = {"hydra.launcher": LauncherNode, "hydra.sweeper": SweeperNode}
_COULD_NOT = re.compile(r"Could not (?:override|append|delete|load)[^']*'([^']+)'")


def find_problems(config_name: str, overrides: Sequence[str], first: Exception) -> list[Problem]:
    """Take away the override that Hydra stumbles over, again and again, and name each one."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(version_base=VERSION_BASE, config_dir=str(project_conf())):
        good = first_of_sweep(overrides, GlobalHydra.instance().config_loader())
        sweeps = list(_explain_sweeps(config_name, overrides, good))
        bad: list[tuple[str, Exception]] = []
        cfg: DictConfig | None = None
        error: Exception | None = first
        if sweeps:
            cfg, error = _try(config_name, good)
        for _ in range(_ROUNDS_AT_MOST):
            if error is None:
                break
            blamed = _blame(error, good) or _blame_by_trial(error, good, config_name)
            if blamed is None:
                return [*sweeps, *_explain_all(bad, None), *_explain_files(error, good)]
            good.remove(blamed)
            bad.append((blamed, error))
            cfg, error = _try(config_name, good)
        return [*sweeps, *_explain_all(bad, cfg), *_problems_of_rest(cfg)]


def _try(config_name: str, overrides: Sequence[str]) -> tuple[DictConfig | None, Exception | None]:
    try:
        return hydra.compose(config_name, overrides=complete(overrides)), None
    except COMPOSE_ERRORS as error:
        return None, error


def _explain_sweeps(config_name: str, overrides: Sequence[str], firsts: Sequence[str]) -> Iterator[Problem]:
    """Tell overrides with several values; `-m` has them replaced before they come here."""
    for override, first in zip(overrides, firsts, strict=True):
        if override != first:
            command = shlex.join(["python", "-m", f"flows.{config_name}", "-m", *redact_overrides(overrides)])
            name, _, values = redact_overrides([override])[0].partition("=")
            yield Problem(name.lstrip("+~"), f"'{values}' is a sweep, which needs -m", f"type: {command}")


def first_of_sweep(overrides: Sequence[str], loader: ConfigLoader) -> list[str]:
    """Take the first value of each override that sweeps, so that one config can be composed."""
    found = []
    for override in overrides:
        try:
            (parsed,) = OverridesParser.create(loader).parse_overrides(complete([override]))
        except HydraException:
            found.append(override)
            continue
        if parsed.is_sweep_override():
            override = f"{override.partition('=')[0]}={_first_value(parsed)}"
        found.append(override)
    return found


def _first_value(parsed: Override) -> str:
    value = parsed.value()
    if isinstance(value, IntervalSweep):
        return str(value.start)
    return next(iter(parsed.sweep_string_iterator()), "")


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
    if _is_inside_param(plain, keys):
        return f"type: +{plain}={value}"
    parent, dot, last = plain.rpartition(".")
    if plain.startswith("hydra."):  # whose keys are not among those of a config
        beside = [field.name for field in fields(_HYDRA_NODES[parent])] if parent in _HYDRA_NODES else []
        own = [name for name in beside if not name.startswith("_")]
        return did_you_mean(last, own, f"{parent}.{{}}={value}") if own else ""
    if dot and parent in keys:
        beside = [key[len(parent) + 1 :] for key in keys if key.rpartition(".")[0] == parent]
        if parent.rpartition(".")[0] == "stages":
            beside += STAGE_KEYS  # a stage's YAML need not name them all
        return did_you_mean(last, beside, f"{parent}.{{}}={value}")
    return did_you_mean(plain, keys, f"{{}}={value}")


def _is_inside_param(plain: str, keys: Sequence[str]) -> bool:
    """Tell whether a key is a new one inside a stage's param, and not a misspelt one that is there."""
    parts = plain.split(".")
    if len(parts) < 5 or (parts[0], parts[2]) != ("stages", "params"):
        return False
    depth = max(n for n in range(len(parts)) if n == 0 or ".".join(parts[:n]) in keys)
    above = ".".join(parts[:depth])
    beside = [key[len(above) + 1 :] for key in keys if key.rpartition(".")[0] == above]
    return depth >= 4 and not get_close_matches(parts[depth], beside, n=1, cutoff=_NEAR)


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


def _explain_files(error: Exception, overrides: Sequence[str]) -> list[Problem]:
    """Tell the option that Hydra stumbles over, and the others in the same experiment file."""
    first = _explain(error, "", [])
    if not isinstance(error, MissingConfigException):
        return [first]
    chosen = [override.partition("=")[2] for override in overrides if _name(override) == "experiment"]
    others = [problem for name in chosen for problem in _wrong_options(f"experiment/{name}.yaml")]
    return [first, *(problem for problem in others if problem.found != first.found)]


def _wrong_options(where: str) -> Iterator[Problem]:
    """Yield each `override /group: option` of a config file that is not there."""
    file = next((f for f in (project_conf() / where, packaged_conf() / where) if f.is_file()), None)
    content = None if file is None else yaml.safe_load(file.read_text(encoding="utf-8"))
    defaults = content.get("defaults") if isinstance(content, dict) else None
    for entry in defaults if isinstance(defaults, list) else ():
        for key, option in entry.items() if isinstance(entry, dict) else ():
            group = str(key).removeprefix("override ").strip().lstrip("/").partition("@")[0]
            options = group_options(group)
            if options and isinstance(option, str) and option not in options:
                hint = did_you_mean(option, options, f"override /{group}: {{}}")
                yield Problem(f"conf/{where}", f"there is no {group} '{option}'", hint)


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
