"""`headrace lake import`: files into `main`, through a branch, past a schema."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from headrace.commands.screen import Answer, Screen, plural, short, size
from headrace.core.ports import SchemaChecker
from headrace.data_import import ImportReport, import_data
from headrace.project import Project

LINES_AT_MOST = 20


def import_files(project: Project, arguments: argparse.Namespace) -> Answer:
    """Import a folder or a file, and say what changed on `main`."""
    report = import_data(
        project.lake,
        Path(arguments.source),
        arguments.dest,
        checker=_checker(project) if arguments.schema else None,
        message=arguments.message,
        delete=arguments.delete,
    )
    return Answer(asdict(report), lambda screen: _lines(screen, report))


def _checker(project: Project) -> SchemaChecker:
    from headrace.adapters.schema_pandera import PanderaChecker

    return PanderaChecker(project.schema)


def _lines(screen: Screen, report: ImportReport) -> Iterator[str]:
    yield from _paths(screen, "+", report.added)
    yield from _paths(screen, "~", report.changed)
    yield from _paths(screen, "-", report.removed)
    for skipped in report.skipped:
        yield screen.fit("left out: ", skipped)
    if report.checked:
        yield f"{plural(report.checked, 'table')} checked: the schema holds"
    if not report.has_changes:
        yield f"main has all of it already, at {short(report.commit)}"
        return
    counts = f"{len(report.added):,} added, {len(report.changed):,} changed, {len(report.removed):,} removed"
    yield f"{counts}, {report.unchanged:,} unchanged ({size(report.bytes)} written)"
    yield f"main is at {short(report.commit)}; to undo that, type:"
    yield screen.command("revert", short(report.commit))


def _paths(screen: Screen, mark: str, paths: Sequence[str]) -> Iterator[str]:
    for path in islice(paths, LINES_AT_MOST):
        yield screen.fit_path(f"{mark} ", path)
    if len(paths) > LINES_AT_MOST:
        yield f"… and {len(paths) - LINES_AT_MOST:,} more"
