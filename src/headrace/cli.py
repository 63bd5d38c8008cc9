"""The command `headrace`: questions about what exists."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from headrace.assemble import local_server
from headrace.entry import tell_error
from headrace.errors import HeadraceError

DEFAULT_ROOT = ".headrace"


def main(argv: Sequence[str] | None = None) -> None:
    """Answer one question and leave the process."""
    parser = argparse.ArgumentParser(prog="headrace", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    server = commands.add_parser("server", help="the project's own Prefect server")
    server.add_argument("action", choices=("status", "stop", "url"))
    server.add_argument(
        "--headrace-dir", type=Path, default=Path(DEFAULT_ROOT), help="folder of the project's state"
    )
    arguments = parser.parse_args(argv)
    try:
        code = server_command(arguments.action, arguments.headrace_dir.absolute())
    except HeadraceError as error:
        code = tell_error(error)
    sys.exit(code)


def server_command(action: str, root: Path) -> int:
    """Tell about the local server, or stop it. Exit code 1 where none runs."""
    server = local_server(root)
    status = server.status()
    if action == "stop":
        print("stopped" if server.stop() else "no server runs in this project")
        return 0
    if status.state == "stopped":
        print("no server runs in this project; a run starts one", file=sys.stderr)
        return 1
    if action == "url":
        print(status.ui_url or status.api_url)
        return 0
    print(f"{status.state}, process {status.pid}" if status.pid else f"{status.state} elsewhere")
    print(f"API    {status.api_url}")
    if status.ui_url:
        print(f"UI     {status.ui_url}\nlog    {status.log}\nto stop it, type: headrace server stop")
    return 0
