"""Go on with a sweep: the words that it began with, and the config that it began with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headrace.adapters.sweep_files import SweepFiles
from headrace.config.folders import use_conf
from headrace.config.space import PARAMS
from headrace.core.record import UnreadableRecord
from headrace.core.secrets import REDACTED
from headrace.core.sweep import SweepRecord
from headrace.errors import ConfigError, Problem, did_you_mean

ALLOWED = ("resume", "headrace_dir")


def resumed_words(sweep_id: str, words: Sequence[str]) -> list[str]:
    """Return the command line of a sweep that goes on; from now on config comes from its folder.

    What is typed beside `resume=<id>` may be of Hydra, such as a new budget or number of workers, or
    stand in for a secret that the record does not hold. Raises `ConfigError`.
    """
    given = [word for word in words if word not in ("-m", "--multirun")]
    files = _files(given)
    record = find_sweep(files, sweep_id)
    begun, missing = _with_secrets(record.overrides, given)
    keys = {word.partition("=")[0] for word in begun if word in given}
    problems = [
        Problem(
            word, "a sweep goes on with the config that it began with", "leave it out, or begin a new one"
        )
        for word in given
        if not _may_change(key := word.partition("=")[0]) and key not in keys
    ]
    problems += [
        Problem(
            word, "is secret, so the record does not hold it", f"type it again: {word.partition('=')[0]}=…"
        )
        for word in missing
    ]
    if problems:
        raise ConfigError(problems)
    use_conf(files.conf(record.id))
    return ["-m", *begun, *(word for word in given if word.startswith("hydra."))]


def _may_change(key: str) -> bool:
    return key in ALLOWED or (key.startswith("hydra.") and not key.startswith(PARAMS))


def resumed_id(sweep_id: str, words: Sequence[str]) -> str:
    """Return the id of the sweep that a command line names, also as `latest`. Raises `ConfigError`."""
    return find_sweep(_files(words), sweep_id).id


def _files(words: Sequence[str]) -> SweepFiles:
    root = next((word.partition("=")[2] for word in words if word.startswith("headrace_dir=")), ".headrace")
    return SweepFiles(Path(root).absolute() / "sweeps")


def _with_secrets(begun: Sequence[str], given: Sequence[str]) -> tuple[list[str], list[str]]:
    typed = {word.partition("=")[0]: word for word in given}
    words = [typed.get(word.partition("=")[0], word) if REDACTED in word else word for word in begun]
    return words, [word for word in words if REDACTED in word]


def find_sweep(files: SweepFiles, sweep_id: str) -> SweepRecord:
    """Read the record of a sweep, `latest` for the newest. Raises `ConfigError`."""
    ids = files.ids()
    if not ids:
        raise ConfigError.one("resume", f"there are no sweeps in {files.root}", "begin one with -m")
    if sweep_id == "latest":
        sweep_id = ids[0]
    try:
        return files.read(sweep_id)
    except UnreadableRecord as error:
        if sweep_id in ids:
            raise ConfigError.one("resume", str(error), "its record is damaged: begin a new sweep") from error
    raise ConfigError.one(
        "resume", f"there is no sweep '{sweep_id}'", did_you_mean(sweep_id, ids, "resume={}")
    )
