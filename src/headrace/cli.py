"""The command `headrace`: questions about what exists."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from headrace.commands.best import add_best
from headrace.commands.check import add_check
from headrace.commands.diff import add_diff
from headrace.commands.graph import add_graph
from headrace.commands.lake import add_lake
from headrace.commands.lineage import add_lineage
from headrace.commands.models import add_models
from headrace.commands.parser import JSON, Parser, tell
from headrace.commands.runs import add_runs
from headrace.commands.server import add_server
from headrace.commands.show import add_show
from headrace.commands.sweeps import add_sweeps
from headrace.commands.sync import add_sync
from headrace.errors import HeadraceError, RunInterrupted

NOBODY_READS = 141  # what a shell sees of a program that SIGPIPE ends


def main(argv: Sequence[str] | None = None) -> None:
    """Answer one question and leave the process."""
    parser = Parser(prog="headrace", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    add_runs(commands)
    add_show(commands)
    add_graph(commands)
    add_diff(commands)
    add_sweeps(commands)
    add_sync(commands)
    add_best(commands)
    add_check(commands)
    add_lineage(commands)
    add_models(commands)
    add_lake(commands)
    add_server(commands)
    words = sys.argv[1:] if argv is None else argv
    try:
        arguments = parser.parse_all(words)
        code = arguments.run(arguments)
        sys.stdout.flush()
    except HeadraceError as error:
        code = tell(error, as_json=JSON in words, command=words[0] if words else "")
    except KeyboardInterrupt:
        code = RunInterrupted.exit_code
    except BrokenPipeError:
        # The reader (`head`) has what it wanted. The interpreter flushes once more at its end: into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = NOBODY_READS
    sys.exit(code)
