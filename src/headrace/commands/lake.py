"""`headrace lake`: questions about the project's lake, and the few commands that change it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from headrace.commands.words import Subparsers, count, span
from headrace.core.secrets import redact_overrides

if TYPE_CHECKING:
    from headrace.commands.screen import Answer
    from headrace.project import Project

Verb = Callable[["Project", argparse.Namespace], "Answer"]

_MAKE_LAKE = ("import", "init")  # the others are about a lake that is there
REF_HELP = "a branch, a tag or a commit id, each with any number of ~N and ^N"


def add_lake(commands: Subparsers) -> None:
    """Add the command with its verbs to a parser."""
    summary = "what the lake holds: commits, branches, objects"
    parser = commands.add_parser("lake", help=summary, description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
    for add in (_add_log, _add_diff, _add_show, _add_branches, _add_tag):
        add(verbs)
    for add in (_add_revert, _add_gc, _add_import, _add_init, _add_pins):
        add(verbs)
    for verb in verbs.choices.values():
        add_lake_options(verb)


def run_lake(arguments: argparse.Namespace) -> int:
    """Open the project's lake and answer."""
    project, options = open_by(arguments)
    if not arguments.makes_lake:
        project.lake.require()
    module, _, name = arguments.answer.partition(".")
    verb: Verb = getattr(import_module(f"headrace.commands.{module}"), name)
    verb(project, arguments).show(arguments.json, options)
    return 0


def open_by(arguments: argparse.Namespace) -> tuple[Project, str]:
    """Open the project that options choose; also return these as they were typed."""
    from headrace.project import open_project

    overrides = [f"lake={arguments.lake}"] if arguments.lake else []
    schema = getattr(arguments, "schema", None)
    overrides += [f"schema={schema}"] if schema else []
    return open_project([*overrides, *arguments.override]), options_of(arguments)


def options_of(arguments: argparse.Namespace) -> str:
    """Return the options that chose the lake, as a command to type next takes them over."""
    words = ["--lake", arguments.lake] if arguments.lake else []
    for override in redact_overrides(arguments.override):
        words += ["-o", override]
    return f" {shlex.join(words)}" if words else ""


def _add(verbs: Subparsers, name: str, answer: str, summary: str) -> argparse.ArgumentParser:
    """Add a verb that `answer`, a function of this package, answers."""
    parser = verbs.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.set_defaults(run=run_lake, answer=answer, makes_lake=name in _MAKE_LAKE)
    return parser


def add_lake_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that opens the project's lake."""
    common = parser.add_argument_group("options of every verb")
    common.add_argument("--json", action="store_true", help="print one JSON document")
    common.add_argument("--lake", metavar="OPTION", help="another option of conf/lake/ than the project's")
    change = "change the config, such as lake.repository=demo; may be repeated"
    common.add_argument("-o", "--override", metavar="KEY=VALUE", action="append", default=[], help=change)


def _add_log(verbs: Subparsers) -> None:
    log = _add(verbs, "log", "lake_history.log", "commits that lead to a ref, newest first")
    log.add_argument("ref", metavar="REF", nargs="?", default="main", help=f"{REF_HELP}; default main")
    log.add_argument("-n", dest="count", metavar="N", type=count, default=20, help="how many; default 20")
    log.add_argument("--first-parent", action="store_true", help="only a branch's own commits")


def _add_diff(verbs: Subparsers) -> None:
    summary = "paths that differ: + added, - removed, ~ changed, ! conflict"
    diff = _add(verbs, "diff", "lake_history.diff", summary)
    diff.add_argument("left", metavar="LEFT", help=f"{REF_HELP}; alone: what merging it into main brings")
    diff.add_argument("right", metavar="RIGHT", nargs="?", help="the ref that is compared with LEFT")
    diff.add_argument("--three-dot", action="store_true", help="RIGHT since it parted from LEFT")
    diff.add_argument("--prefix", default="", help="only paths that begin so")


def _add_show(verbs: Subparsers) -> None:
    show = _add(verbs, "show", "lake_show.show", "one commit, one object, or what a folder holds")
    show.add_argument("ref", metavar="REF", help=REF_HELP)
    show.add_argument("path", metavar="PATH", nargs="?", help="an object or a folder; / is the whole")


def _add_branches(verbs: Subparsers) -> None:
    branches = _add(verbs, "branches", "lake_refs.branches", "branches, and what their last commits say")
    branches.add_argument("prefix", metavar="PREFIX", nargs="?", default="", help="only names that begin so")


def _add_tag(verbs: Subparsers) -> None:
    tag = _add(verbs, "tag", "lake_refs.tag", "tags: list them, create one, delete one")
    either = tag.add_mutually_exclusive_group()
    either.add_argument("name", metavar="NAME", nargs="?", help="the new tag")
    either.add_argument("-d", "--delete", metavar="NAME", help="delete this tag")
    tag.add_argument("ref", metavar="REF", nargs="?", default="main", help=f"{REF_HELP}; default main")


def _add_revert(verbs: Subparsers) -> None:
    revert = _add(verbs, "revert", "lake_changes.revert", "undo a commit by another commit")
    revert.add_argument("ref", metavar="REF", help=REF_HELP)
    revert.add_argument("--branch", default="main", help="where to undo it; default main")
    revert.add_argument(
        "--parent", metavar="N", type=count, default=1, help="of a merge: back to which parent"
    )


def _add_gc(verbs: Subparsers) -> None:
    gc = _add(verbs, "gc", "lake_collect.gc", "delete branches of old runs, and bytes that nothing reaches")
    gc.add_argument(
        "--older-than",
        metavar="TIME",
        type=span,
        default=span("14d"),
        help="time to live since the last commit, such as 12h, 14d, 8w; default 14d",
    )
    gc.add_argument("--prefix", default="", help="only branches whose names begin so")
    gc.add_argument("--dry-run", action="store_true", help="list what would go, delete nothing")


def _add_import(verbs: Subparsers) -> None:
    add = _add(verbs, "import", "lake_import.import_files", "bring files into main, through a branch")
    add.add_argument("source", metavar="SOURCE", help="a folder or a file")
    add.add_argument("dest", metavar="DEST", help="where it goes in the lake; with / at its end a folder")
    add.add_argument("--schema", metavar="NAME", help="check tables against this option of conf/schema/")
    add.add_argument("--message", metavar="TEXT", default="", help="what the commit says")
    add.add_argument("--delete", action="store_true", help="delete below DEST what SOURCE does not have")


def _add_init(verbs: Subparsers) -> None:
    _add(verbs, "init", "lake_changes.init", "create the lake where there is none")


def _add_pins(verbs: Subparsers) -> None:
    for name, summary in (
        ("pin", "keep a run's branch from gc, for everybody who shares the lake"),
        ("unpin", "let gc take a run's branch again"),
    ):
        parser = _add(verbs, name, f"lake_refs.{name}", summary)
        parser.add_argument("run_id", metavar="RUN", help="a run's id, or a branch")
