"""`headrace lineage`: from a model's version to its run, code and data, and from data to models."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headrace.commands.lake import add_lake_options, open_by
from headrace.commands.screen import Answer, Screen, short, size
from headrace.commands.words import Subparsers
from headrace.core.ports import MAIN, LakeReader
from headrace.core.record import RunRecord, UnreadableRecord, parse_record
from headrace.errors import ObjectNotFound, RunNotFound, did_you_mean

SCHEMES = ("package:", "file:", "lake:")


def add_lineage(commands: Subparsers) -> None:
    """Add the command to a parser."""
    summary = "where a model comes from, or what came of some data"
    parser = commands.add_parser("lineage", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    what = "MODEL, MODEL:VERSION or MODEL@ALIAS; or data: file:…, package:…, lake:PATH, a lake commit"
    parser.add_argument("what", metavar="WHAT", help=what)
    parser.set_defaults(run=_run)
    add_lake_options(parser)


def _run(arguments: argparse.Namespace) -> int:
    project, options = open_by(arguments)
    lake, what = project.lake, arguments.what
    models = find_models(lake)
    name = what.partition(":")[0].partition("@")[0]
    if name in models and not what.startswith(SCHEMES):
        answer = _of_model(lake, models[name], what)
    else:
        answer = _of_data(lake, models, what)
    answer.show(arguments.json, options)
    return 0


def find_models(lake: LakeReader) -> dict[str, dict[str, Any]]:
    """Return the registry of every model on `main`, by name."""
    found: dict[str, dict[str, Any]] = {}
    for folder in lake.list(MAIN, prefix="models/", delimiter="/"):
        try:
            with lake.open(MAIN, f"{folder.path}registry.json") as file:
                found[folder.path.removeprefix("models/").rstrip("/")] = json.load(file)
        except ObjectNotFound:
            continue
    return found


def read_run(lake: LakeReader, run_id: str) -> RunRecord | None:
    """Return a run's record from the lake, where each published run has put it."""
    try:
        with lake.open(MAIN, f"runs/{run_id}/run.json") as file:
            return parse_record(json.load(file))
    except (ObjectNotFound, UnreadableRecord, ValueError):
        return None


def _of_model(lake: LakeReader, registry: Mapping[str, Any], what: str) -> Answer:
    version = _find_version(registry, what)
    record = read_run(lake, version["run"])
    data = {
        "model": registry["model"],
        "version": version["version"],
        "aliases": [name for name, number in registry["aliases"].items() if number == version["version"]],
        "digest": version["digest"],
        "uri": version["uri"],
        "metrics": version.get("metrics", {}),
        "run": None if record is None else _run_json(record),
        "run_id": version["run"],
    }
    return Answer(data, lambda screen: _model_lines(screen, data))


def _find_version(registry: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    versions = {str(version["version"]): version for version in registry["versions"]}
    _, colon, number = what.partition(":")
    _, at, alias = what.partition("@")
    if at:
        if alias not in registry["aliases"]:
            hint = did_you_mean(alias, registry["aliases"], f"{registry['model']}@{{}}")
            raise RunNotFound(f"{registry['model']} has no alias {alias!r}; {hint}")
        number = str(registry["aliases"][alias])
    elif not colon:
        number = max(versions, key=int)
    if number not in versions:
        hint = did_you_mean(number, versions, f"{registry['model']}:{{}}")
        raise RunNotFound(f"{registry['model']} has no version {number!r}; {hint}")
    found: Mapping[str, Any] = versions[number]
    return found


def _run_json(record: RunRecord) -> dict[str, Any]:
    sources = [
        {"stage": stage.name, "argument": name, "digest": stage.inputs.get(name), **source}
        for stage in record.stages
        for name, source in stage.sources.items()
    ]
    for source in sources:
        source.pop("files", None)
    return {
        "id": record.id,
        "experiment": record.experiment,
        "command": record.command,
        "started": record.started,
        "git": record.git,
        "data_commit": record.source.get("commit"),
        "sources": sources,
        "packages": record.packages,
    }


def _model_lines(screen: Screen, data: Mapping[str, Any]) -> Iterator[str]:
    aliases = f"  ({', '.join(data['aliases'])})" if data["aliases"] else ""
    yield f"model   {data['model']} version {data['version']}{aliases}"
    yield f"        {data['digest'][:19]}  {data['uri']}"
    run = data["run"]
    if run is None:
        yield f"run     {data['run_id']}, whose record is not in this lake"
        return
    yield f"run     {run['id']}  {run['experiment']}, {run['started']}"
    yield from screen.wrap(f"        {run['command']}")
    commit = run["git"].get("commit")
    changed = ", with changes that were not committed" if run["git"].get("dirty") else ""
    yield f"code    git commit {short(commit)}{changed}" if commit else "code    not in git"
    if run["data_commit"]:
        yield f"data    lake commit {short(run['data_commit'])}"
    for source in run["sources"]:
        digest = (source["digest"] or "")[:19]
        yield screen.fit("source  ", source["uri"], f"  {digest}  {size(source['bytes'])}")


def _of_data(lake: LakeReader, models: Mapping[str, Mapping[str, Any]], what: str) -> Answer:
    """Find the versions whose runs read some data, by its URI or by the commit that they read at."""
    found = []
    for name, registry in models.items():
        for version in registry["versions"]:
            record = read_run(lake, version["run"])
            if record is not None and _reads(record, what):
                found.append({"model": name, "version": version["version"], "run": record.id})
    if not found:
        known = [*models, "file:…", "package:…", "lake:…"]
        raise RunNotFound(f"no published version came of {what!r}; {did_you_mean(what, known)}")
    return Answer(found, lambda screen: _data_lines(found))


def _reads(record: RunRecord, what: str) -> bool:
    commit = str(record.source.get("commit") or "")
    is_commit = len(what) >= 8 and commit.startswith(what)
    uris = [source["uri"] for stage in record.stages for source in stage.sources.values()]
    outputs = [artifact.uri for stage in record.stages for artifact in stage.outputs.values()]
    return is_commit or what in uris or what in outputs


def _data_lines(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for version in found:
        yield f"{version['model']} version {version['version']}  by run {version['run']}"
