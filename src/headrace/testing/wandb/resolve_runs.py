"""Runs: opening and updating one, what it holds, and its alerts."""

from __future__ import annotations

import json
from typing import Any

from headrace.testing.wandb.fields import Arguments, Context, Fields, paged
from headrace.testing.wandb.ids import now
from headrace.testing.wandb.refusal import Refusal, Violation, not_found
from headrace.testing.wandb.runs import Alert, Project, Run

fields = Fields()

# What an update replaces, by the argument that carries it; an argument that is null or missing keeps it.
UPDATED = {
    "commit": "commit",
    "description": "description",
    "displayName": "display_name",
    "groupName": "group",
    "host": "host",
    "jobProgram": "program",
    "jobType": "job_type",
    "notes": "notes",
    "tags": "tags",
}


@fields("Mutation.upsertBucket")
def upsert_bucket(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    given = arguments["input"]
    run, inserted = _open(context, given)
    for argument, attribute in UPDATED.items():
        if given.get(argument) is not None:
            setattr(run, attribute, given[argument])
    if given.get("config") is not None:
        run.config = json.loads(given["config"])
    if given.get("summaryMetrics") is not None:
        run.summary = json.loads(given["summaryMetrics"])
    if given.get("state") is not None:
        run.state = given["state"]
    run.heartbeat_at = now()
    return {"bucket": run, "inserted": inserted}


def _open(context: Context, given: dict[str, Any]) -> tuple[Run, bool]:
    """Return the run to update: by its id, or by its name in a project, where it may be new."""
    store = context.store
    if given.get("id"):
        for project in store.projects.values():
            for run in project.runs.values():
                if run.id == given["id"]:
                    return run, False
        raise not_found(f"run with the id {given['id']}")
    name = given.get("name")
    if not name:
        raise Refusal(400, "upsertBucket needs the name of a run")
    if name in store.deleted:
        raise Refusal(409, f"run {name} was previously created and deleted; try a new run name")
    project = store.make_project(given.get("entityName"), given.get("modelName"))
    inserted = name not in project.runs
    if inserted:
        number = store.next_number()
        project.runs[name] = Run(project=project, name=name, number=number, display_name=name)
    run = project.runs[name]
    run.state = "running"
    return run, inserted


@fields("Project.run")
def project_run(project: Project, context: Context, arguments: Arguments) -> Run | None:
    return project.runs.get(arguments["name"])


@fields("Project.bucket")
def bucket(project: Project, context: Context, arguments: Arguments) -> Run | None:
    if arguments["name"] not in project.runs and not arguments.get("missingOk"):
        raise not_found(f"run {arguments['name']}")
    return project.runs.get(arguments["name"])


@fields("Project.runs")
def runs(project: Project, context: Context, arguments: Arguments) -> dict[str, Any]:
    return paged(_matching(project, arguments), arguments)


@fields("Project.runCount")
def run_count(project: Project, context: Context, arguments: Arguments) -> int:
    return len(_matching(project, arguments))


def _matching(project: Project, arguments: Arguments) -> list[Run]:
    """Return the runs that filters allow, by age. Of W&B's filter language only equality of a few is here."""
    found = list(project.runs.values())
    order = arguments.get("order") or "+created_at"
    if order not in ("+created_at", "-created_at"):
        raise Violation(400, f"the stand-in cannot order runs by {order}")
    if order == "-created_at":
        found.reverse()
    for name, wanted in json.loads(arguments.get("filters") or "{}").items():
        if name not in ("name", "group", "jobType", "state") or not isinstance(wanted, str):
            raise Violation(400, f"the stand-in knows no filter {name}: {wanted}")
        attribute = {"jobType": "job_type"}.get(name, name)
        found = [run for run in found if getattr(run, attribute) == wanted]
    return found


@fields("Run.config")
def config(run: Run, context: Context, arguments: Arguments) -> str:
    return json.dumps(run.config)


@fields("Run.wandbConfig")
def wandb_config(run: Run, context: Context, arguments: Arguments) -> str:
    """Return the client's own entry of the config, or some keys of it."""
    entry = run.config.get("_wandb", {}).get("value", {})
    wanted = arguments.get("keys")
    return json.dumps(entry if wanted is None else {key: entry[key] for key in wanted if key in entry})


@fields("Run.summaryMetrics")
def summary_metrics(run: Run, context: Context, arguments: Arguments) -> str:
    return json.dumps(run.summary)


@fields("Run.systemMetrics")
def system_metrics(run: Run, context: Context, arguments: Arguments) -> str:
    return json.dumps(run.events[-1] if run.events else {})


@fields("Run.projectId")
def project_id(run: Run, context: Context, arguments: Arguments) -> int:
    return run.project.number


@fields("Run.historyLineCount")
def history_line_count(run: Run, context: Context, arguments: Arguments) -> int:
    return len(run.history)


@fields("Run.eventsLineCount")
def events_line_count(run: Run, context: Context, arguments: Arguments) -> int:
    return len(run.events)


@fields("Run.logLineCount")
def log_line_count(run: Run, context: Context, arguments: Arguments) -> int:
    return len(run.output)


@fields("Run.historyTail")
def history_tail(run: Run, context: Context, arguments: Arguments) -> str:
    return json.dumps([json.dumps(row) for row in run.history[-1:]])


@fields("Run.eventsTail")
def events_tail(run: Run, context: Context, arguments: Arguments) -> str:
    return json.dumps([json.dumps(row) for row in run.events[-1:]])


@fields("Run.history")
def history(run: Run, context: Context, arguments: Arguments) -> list[str]:
    """Return rows from `minStep` to below `maxStep`; `samples` is taken as a limit, nothing is sampled."""
    first, last = int(arguments.get("minStep") or 0), arguments.get("maxStep")
    rows = [
        row
        for row in run.history
        if row.get("_step", 0) >= first and (last is None or row.get("_step", 0) < int(last))
    ]
    return [json.dumps(row) for row in rows[: arguments.get("samples")]]


@fields("Run.sampledHistory")
def sampled_history(run: Run, context: Context, arguments: Arguments) -> list[Any]:
    """Return, for each spec, the rows that have all of its keys, cut down to them."""
    answers = []
    for spec in map(json.loads, arguments["specs"]):
        keys = spec.get("keys", [])
        rows = [row for row in run.history if all(key in row for key in keys)]
        answers.append([{key: row[key] for key in keys} for row in rows[: spec.get("samples")]])
    return answers


@fields("Run.historyKeys")
def history_keys(run: Run, context: Context, arguments: Arguments) -> dict[str, Any] | None:
    if not run.history:
        return None
    names = sorted({key for row in run.history for key in row})
    return {
        "lastStep": max(row.get("_step", 0) for row in run.history),
        "sets": [],
        "keys": {name: {"typeCounts": [{"type": "number", "count": len(run.history)}]} for name in names},
    }


@fields("Run.parquetHistory")
def parquet_history(run: Run, context: Context, arguments: Arguments) -> dict[str, Any]:
    """Say that nothing was written to Parquet yet, as for a run that has just ended."""
    keys = arguments["liveKeys"]
    rows = [{key: value for key, value in row.items() if key in keys} for row in run.history]
    return {"parquetUrls": [], "liveData": rows}


@fields("Run.inputArtifacts")
def input_artifacts(run: Run, context: Context, arguments: Arguments) -> dict[str, Any]:
    return paged(run.used, arguments)


@fields("Run.outputArtifacts")
def output_artifacts(run: Run, context: Context, arguments: Arguments) -> dict[str, Any]:
    return paged([artifact for artifact in run.logged if artifact.state == "COMMITTED"], arguments)


@fields("Mutation.notifyScriptableRunAlert")
def alert(_: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
    given = arguments["input"]
    run = context.store.find_run(given["entityName"], given["projectName"], given["runName"])
    run.alerts.append(
        Alert(
            title=given["title"],
            text=given["text"],
            severity=given.get("severity") or "INFO",
            wait_milliseconds=int(given.get("waitDuration") or 0),
        )
    )
    return {"success": True}
