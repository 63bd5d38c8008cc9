"""`headrace server`: the project's own Prefect server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from headrace.commands.words import Subparsers

DEFAULT_ROOT = ".headrace"


def add_server(commands: Subparsers) -> None:
    """Add the command to a parser."""
    server = commands.add_parser("server", help="the project's own Prefect server")
    server.add_argument("action", choices=("status", "stop", "url"))
    server.add_argument(
        "--headrace-dir", type=Path, default=Path(DEFAULT_ROOT), help="folder of the project's state"
    )
    server.set_defaults(run=run_server)


def run_server(arguments: argparse.Namespace) -> int:
    """Tell about the local server, or stop it. Exit code 1 where none runs."""
    from headrace.runtimes import local_server

    server = local_server(arguments.headrace_dir.absolute())
    status = server.status()
    if arguments.action == "stop":
        print("stopped" if server.stop() else "no server runs in this project")
        return 0
    if status.state == "stopped":
        print("no server runs in this project; a run starts one", file=sys.stderr)
        return 1
    if arguments.action == "url":
        print(status.ui_url or status.api_url)
        return 0
    print(f"{status.state}, process {status.pid}" if status.pid else f"{status.state} elsewhere")
    print(f"API    {status.api_url}")
    if status.ui_url:
        print(f"UI     {status.ui_url}\nlog    {status.log}\nto stop it, type: headrace server stop")
    return 0
