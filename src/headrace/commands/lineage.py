"""`headrace lineage`: from a model's version to its run, code and data, and from data to models."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from headrace.commands.lake import add_lake_options, open_by
from headrace.commands.lineage_data import SCHEMES, of_data
from headrace.commands.lineage_records import Records, find_models
from headrace.commands.screen import Answer, Screen, plural, printable, short, size
from headrace.commands.words import Subparsers
from headrace.core.record import RunRecord
from headrace.errors import RunNotFound, did_you_mean

OURS = "headrace"


def add_lineage(commands: Subparsers) -> None:
    """Add the command to a parser."""
    summary = "where a model comes from, or what came of some data"
    parser = commands.add_parser("lineage", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    what = "MODEL, MODEL:VERSION or MODEL@ALIAS; or data: file:…, package:…, lake:PATH, lake://COMMIT/PATH, "
    what += "sha256:…, or a commit of the lake"
    parser.add_argument("what", metavar="WHAT", help=what)
    parser.set_defaults(run=_run)
    add_lake_options(parser)


def _run(arguments: argparse.Namespace) -> int:
    project, options = open_by(arguments)
    lake, what = project.lake, arguments.what
    models, records = find_models(lake), Records(lake, project.root)
    name = what.partition(":")[0].partition("@")[0]
    if name in models and not what.startswith(SCHEMES):
        answer = _of_model(records, models[name], what)
    else:
        answer = of_data(records, models, what)
    answer.show(arguments.json, options)
    return 0


def _of_model(records: Records, registry: Mapping[str, Any], what: str) -> Answer:
    version = _find_version(registry, what)
    record = records.find(version["run"])
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
        number = max(versions, key=int, default="")
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
        "modules": sorted({name for s in record.stages for name in (s.key_parts or {}).get("code", {})}),
        "data_commit": record.source.get("commit"),
        "sources": sources,
        "packages": record.packages,
    }


def _model_lines(screen: Screen, data: Mapping[str, Any]) -> Iterator[str]:
    aliases = f"  ({', '.join(data['aliases'])})" if data["aliases"] else ""
    yield f"model   {data['model']} version {data['version']}{aliases}"
    yield screen.fit_path(f"        {data['digest'][:19]}  ", data["uri"])
    run = data["run"]
    if run is None:
        yield f"run     {data['run_id']}, whose record is not in this lake"
        return
    yield screen.fit(f"run     {run['id']}  ", f"{run['experiment']}, {run['started']}")
    yield from map(printable, screen.wrap(f"        {run['command']}"))
    commit = run["git"].get("commit")
    changed = ", with changes that were not committed" if run["git"].get("dirty") else ""
    yield f"code    git commit {short(commit)}{changed}" if commit else "code    not in git"
    ours = [name for name in run["modules"] if name.partition(".")[0] == OURS]
    theirs = [name for name in run["modules"] if name not in ours]
    said = [*theirs, *([f"{plural(len(ours), 'module')} of headrace"] if ours else [])]
    if said:
        yield screen.fit("        ", ", ".join(said))
    if run["data_commit"]:
        yield f"data    lake commit {short(run['data_commit'])}"
    for source in run["sources"]:
        digest = (source["digest"] or "")[:19]
        yield screen.fit("source  ", source["uri"], f"  {digest}  {size(source['bytes'])}")
