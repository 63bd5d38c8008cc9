"""The shell's way into a flow: compose, run a task, tell what is wrong, leave with the right exit code."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from headrace.config.compose import (
    COMPOSE_ERRORS,
    VERSION_BASE,
    complete,
    compose,
    open_conf,
    require_experiment,
)
from headrace.config.folders import packaged_conf, project_conf
from headrace.core.secrets import redact_overrides
from headrace.errors import ConfigError, HeadraceError

Task = Callable[[DictConfig, Sequence[str]], int]
"""Takes the composed config and the overrides that made it; returns an exit code."""

FAILED = 1
INTERRUPTED = 130
BROKEN_PIPE = 141


SweepTask = Callable[[DictConfig, Sequence[str], str | None], int]
"""Takes the config with its `hydra` node, the overrides of all jobs and the id of the sweep that goes on."""


def shell(config_name: str, task: Task, flow: str = "", sweep: SweepTask | None = None) -> None:
    """Run a task on the config that the command line composes, and leave the process.

    `flow` is the command's module where it is not called as its config is. `sweep` does what `-m` asks
    for; without, Hydra's launcher calls the task for each job.
    """
    words = sys.argv[1:]

    def compose_and_run() -> int:
        if sweep is not None and (resumed := _find_resumed(words)) is not None:
            return _run_by_hydra(config_name, task, sweep, _go_on(resumed, words))
        if any(word.startswith(("-", "hydra")) for word in words):
            return _run_by_hydra(config_name, task, sweep)
        return task(compose(config_name, words), words)

    run(
        compose_and_run,
        shlex.join(["python", "-m", f"flows.{flow or config_name}", *redact_overrides(words)]),
    )


def run_words(config_name: str, doc: str | None, task: Callable[[Sequence[str]], int]) -> NoReturn:
    """Run a command whose words are its own and not Hydra's; `--help` shows what it is for and every key."""
    words = sys.argv[1:]
    if {"-h", "--help"} & set(words):
        run(lambda: print(_help(config_name, doc)))
    run(lambda: task(words), shlex.join(["python", "-m", f"flows.{config_name}", *redact_overrides(words)]))


def _help(config_name: str, doc: str | None) -> str:
    places = (folder / f"{config_name}.yaml" for folder in (project_conf(), packaged_conf()))
    keys = next(file for file in places if file.is_file()).read_text("utf-8").partition("\nhydra:")[0]
    return f"{(doc or '').strip()}\n\nconf/{config_name}.yaml, each key as key=value:\n\n{keys}"


def run(action: Callable[[], int | None], command: str = "") -> NoReturn:
    """Do something and leave the process with its exit code; where it fails, say how to try again."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = action() or 0
        sys.stdout.flush()
    except HeadraceError as error:
        code = tell_error(error)
        if code == FAILED and command:
            print(f"\nto try again, type:\n{command}", file=sys.stderr)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = BROKEN_PIPE
    if code == INTERRUPTED:
        # A stage may still run in a thread, for which the interpreter would wait: the record is written,
        # and what the stage has not committed nobody sees.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _find_resumed(words: Sequence[str]) -> str | None:
    return next((word.partition("=")[2] for word in words if word.startswith("resume=")), None)


def _go_on(sweep_id: str, words: Sequence[str]) -> str:
    """Let the command line be that of a sweep which is to go on, and its config the one it began with."""
    from headrace.sweeps.resume import resumed_id, resumed_words

    found = resumed_id(sweep_id, words)  # for `latest` the id; others may begin a sweep meanwhile
    sys.argv[1:] = resumed_words(found, words)
    return found


def _run_by_hydra(
    config_name: str, task: Task, sweep: SweepTask | None = None, resumed: str | None = None
) -> int:
    """Give the command line to `hydra.main`: it knows sweeps (-m), --cfg, --info and completion.

    It composes twice to find out what to do, which the plain path need not wait for.
    """
    debugging = "HYDRA_FULL_ERROR" in os.environ
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing and leaving with 1
    overrides = [word for word in sys.argv[1:] if not word.startswith("-")]
    sys.argv[1:] = complete(sys.argv[1:])
    codes: list[int] = []
    started = False

    def sweep_all(cfg: DictConfig, arguments: Sequence[str]) -> None:
        nonlocal started
        started = True
        assert sweep is not None
        codes.append(sweep(cfg, arguments, resumed))

    def main(cfg: DictConfig) -> None:
        nonlocal started
        started = True
        try:
            require_experiment(cfg, config_name)
            codes.append(task(cfg, list(HydraConfig.get().overrides.task)))
        except HeadraceError as error:
            codes.append(tell_error(error))

    if sweep is not None:
        main.headrace_sweep = sweep_all  # type: ignore[attr-defined]
    by_hydra = hydra.main(version_base=VERSION_BASE, config_path=str(project_conf()), config_name=config_name)
    try:
        by_hydra(main)()
    except COMPOSE_ERRORS as error:
        if debugging or started:
            raise
        from headrace.config.explain import find_problems, first_of_sweep

        with open_conf() as loader:
            firsts = first_of_sweep(overrides, loader)
        problems = find_problems(config_name, firsts, error)
        raise ConfigError(problems) from error
    return max(codes, default=0)


def tell_error(error: HeadraceError) -> int:
    """Print an error for people and return its exit code."""
    print(f"error: {error}", file=sys.stderr)
    return error.exit_code


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
