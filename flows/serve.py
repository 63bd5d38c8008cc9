"""Serve: published models over HTTP, until told to stop.

    python -m flows.serve model=penguins@production
    python -m flows.serve model=[penguins,flights@staging] port=0 workers=2

A new target of the alias is loaded, checked and takes over without a request lost. HEADRACE_SERVE_TOKEN is
the bearer token that requests must have.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from headrace import entry
from headrace.config.command import compose_command, split_project
from headrace.config.serve import ServeNode, as_mapping, load_serve
from headrace.errors import Problem
from headrace.loaded import name_whole
from headrace.project import try_project
from headrace.served import TOKEN, collect_later, serve
from headrace.serving.settings import CanarySettings, LogSettings, ServeSettings


def read_settings(words: Sequence[str]) -> ServeSettings:
    """Return what a service is told. Raises `ConfigError`."""
    problems: list[Problem] = []
    own, of_project = split_project(words)
    project = try_project(of_project, problems)
    token = os.environ.get(TOKEN) or None
    cfg = compose_command("serve", ServeNode, own, problems)
    node = dict(as_mapping(load_serve(cfg, token, problems)))
    assert project is not None  # else there were problems
    node.pop("insecure")
    log, canary = LogSettings(**as_mapping(node.pop("log"))), CanarySettings(**as_mapping(node.pop("canary")))
    node["allow_origins"] = tuple(node["allow_origins"])
    models = tuple(name_whole(one) for one in node.pop("model"))
    return ServeSettings(
        **node,
        models=models,
        token=token,
        log=log,
        canary=canary,
        lake=project.lake_node,
        headrace_dir=str(project.root),
    )


def run_serve(words: Sequence[str]) -> int:
    """Serve, and return the exit code."""
    collect_later()
    settings = read_settings(words)

    def announce(url: str, versions: Mapping[str, int]) -> None:
        for name, version in versions.items():
            print(f"serving  {name} version {version}")
        print(f"at       {url}  (OpenAPI: {url}/docs, figures: {url}/metrics)")
        first = next(iter(versions))
        bearer = f' -H "authorization: Bearer ${TOKEN}"' if settings.token else ""
        print("to try   ask with its example:")
        print(f"curl -s{bearer} {url}/models/{first}/example | curl -s{bearer} {url}/predict --json @-")
        print("to stop  press Ctrl-C, or kill it: what was answered is kept", flush=True)

    return serve(settings, announce)


def main() -> None:
    """Serve from the shell."""
    entry.run_words("serve", __doc__, run_serve)


if __name__ == "__main__":
    main()
