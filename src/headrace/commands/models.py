"""`headrace models`: which models there are, what their aliases name, and how that came to be."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from headrace.commands.lake import add_lake_options, open_by
from headrace.commands.screen import Answer, Screen, minutes, plural, printable
from headrace.commands.words import Subparsers
from headrace.core.ports import MAIN, LakeStore
from headrace.errors import ModelNotFound, did_you_mean

if TYPE_CHECKING:
    from headrace.deploy.journal import Deployment

METRICS_SHOWN = 3


def add_models(commands: Subparsers) -> None:
    """Add the command to a parser."""
    summary = "models with their versions and aliases; of one model also how its aliases moved"
    parser = commands.add_parser("models", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.add_argument("name", metavar="NAME", nargs="?", help="one model")
    add_lake_options(parser)
    parser.set_defaults(run=run_models)


def run_models(arguments: argparse.Namespace) -> int:
    """Open the project's lake and answer. What a deployment left unfinished is told, and left."""
    from headrace.deploy.journal import Journal
    from headrace.deploy.step import folder_of

    project, options = open_by(arguments)
    project.lake.require()
    left = Journal(folder_of(project.root)).unfinished()
    answer = _one(project.lake, arguments.name, left) if arguments.name else _all(project.lake, left)
    answer.show(arguments.json, options)
    return 0


# --- all ----------------------------------------------------------------------------------------


def _all(lake: LakeStore, left: Sequence[Deployment]) -> Answer:
    from headrace.registry import list_models, read_registry

    commit = lake.resolve(MAIN)
    registries = [read_registry(lake, commit, name) for name in list_models(lake, commit)]
    data = [_summary(registry, left) for registry in registries]
    return Answer(data, lambda screen: _all_lines(screen, data))


def _summary(registry: Mapping[str, Any], left: Sequence[Deployment]) -> dict[str, Any]:
    return {
        "model": registry["model"],
        "versions": [int(version["version"]) for version in registry["versions"]],
        "aliases": {alias: _alias(registry, alias) for alias in sorted(registry["aliases"], key=_rank)},
        "unfinished": _unfinished(registry["model"], left),
    }


def _rank(alias: str) -> tuple[bool, str]:
    return alias != "production", alias


def _alias(registry: Mapping[str, Any], alias: str) -> dict[str, Any]:
    """Return what an alias names, since when and by what; a registry of old does not know the latter."""
    moves = [one for one in registry.get("history", ()) if one["alias"] == alias]
    last = moves[-1] if moves else {}
    return {
        "version": registry["aliases"][alias],
        "share": (registry.get("shares") or {}).get(alias),
        **{name: last.get(name) for name in ("time", "why", "run")},
    }


def _all_lines(screen: Screen, models: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not models:
        yield "the lake has no model yet: a run publishes one"
        return
    width = max(len(model["model"]) for model in models)
    for model in models:
        versions = plural(len(model["versions"]), "version")
        yield screen.fit(f"{printable(model['model']):<{width}}  ", versions)
        for alias, about in model["aliases"].items():
            yield screen.fit(f"{'':<{width}}  ", f"{_named(alias, about)}{_since(about)}")
        yield from _unfinished_lines(screen, model["unfinished"])
    yield f"more of one: headrace models {models[0]['model']}{screen.options}"


def _named(alias: str, about: Mapping[str, Any]) -> str:
    share = "" if about.get("share") is None else f" ({about['share']:.0%} of the traffic)"
    return f"{alias}: version {about['version']}{share}"


def _since(about: Mapping[str, Any]) -> str:
    if not about["time"]:
        return ""
    by = f" of run {about['run']}" if about["run"] else ""
    return f"  since {_minute(about['time'])}, {about['why']}{by}"


# --- one ----------------------------------------------------------------------------------------


def _one(lake: LakeStore, name: str, left: Sequence[Deployment]) -> Answer:
    from headrace.registry import history, list_models, read_registry

    commit = lake.resolve(MAIN)
    known = list_models(lake, commit)
    if name not in known:
        raise ModelNotFound(f"the lake has no model {name!r}; {did_you_mean(name, known)}")
    registry = read_registry(lake, commit, name)
    data = {
        **_summary(registry, left),
        "versions": [_version(registry, one) for one in reversed(registry["versions"])],
        "history": list(reversed(history(registry))),
    }
    return Answer(data, lambda screen: _one_lines(screen, data))


def _version(registry: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    aliases = [alias for alias, version in registry["aliases"].items() if version == entry["version"]]
    return {**entry, "aliases": sorted(aliases, key=_rank)}


def _one_lines(screen: Screen, model: Mapping[str, Any]) -> Iterator[str]:
    for version in model["versions"]:
        aliases = [_short(alias, model["aliases"][alias]) for alias in version["aliases"]]
        named = f"  {', '.join(aliases)}" if aliases else ""
        metrics = list(version["metrics"].items())[:METRICS_SHOWN]
        figures = "".join(f"  {name} {value:.4g}" for name, value in metrics)
        yield screen.fit(f"version {version['version']}  run {version['run']}", figures, named)
    yield ""
    yield "history, newest first" if model["history"] else "no history: it begins with the next move"
    for move in model["history"]:
        yield from _move_lines(screen, move)
    yield from _unfinished_lines(screen, model["unfinished"])


def _short(alias: str, about: Mapping[str, Any]) -> str:
    return alias if about.get("share") is None else f"{alias} {about['share']:.0%}"


def _move_lines(screen: Screen, move: Mapping[str, Any]) -> Iterator[str]:
    to = "nothing" if move["to"] is None else move["to"]
    start = "nothing" if move["from"] is None else move["from"]
    share = "" if move.get("share") is None else f"  {move['share']:.0%} of the traffic"
    by = f"  run {move['run']}" if move.get("run") else ""
    head = f"  {_minute(move['time'])}  {move['why']:<8}  "
    yield screen.fit(head, f"{move['alias']}: {start} → {to}{share}{by}")
    if move.get("forced"):
        failed = sum(not check.get("passed") for check in move.get("checks") or ())
        against = f" (against {plural(failed, 'check')})" if failed else ""
        yield screen.fit(" " * len(head), f"forced{against}: {move['forced']}")


def _minute(time: str) -> str:
    return minutes(datetime.fromisoformat(time).timestamp())


# --- unfinished ---------------------------------------------------------------------------------


def _unfinished(model: str, left: Sequence[Deployment]) -> list[dict[str, Any]]:
    return [one.to_json() for one in left if one.model == model]


def _unfinished_lines(screen: Screen, left: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in left:
        what = f"{one['model']}@{one['alias']}, begun {_minute(one['started'])}, got as far as {one['state']}"
        yield screen.fit("unfinished: ", f"{what}; it is under way, or the next flows.deploy finishes it")
