"""The parser of `headrace`: a word that means nothing is told with what would, as JSON where asked for."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from headrace.errors import ConfigError, HeadraceError, Problem, WrongWord, did_you_mean

JSON = "--json"

_UNKNOWN = "unrecognized arguments: "
_OVERRIDE = re.compile(r"(?<![\w=.-])\+?([a-z_][\w.]*)=(?=[^\s=])")
_WITH_OVERRIDES = ("check", "graph")  # these take the words of a run as they are
_OWN_OPTIONS = ("lake", "schema")  # these choose an option of a group, so they are options of their own here


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that raises `WrongWord`, and suggests verbs and options that are near."""

    def error(self, message: str) -> NoReturn:
        raise WrongWord(f"{message}\n{self.format_usage().rstrip()}")

    def parse_all(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse a command line; what is left over is told by the parser of the verb that it follows."""
        arguments, left = self.parse_known_args(words)
        if left:
            verb = self._parser_of(words)
            options = [name for action in verb._actions for name in action.option_strings]
            word = next((word for word in left if word.startswith("-")), "").partition("=")[0]
            hint = f" ({did_you_mean(word, options)})" if word else ""
            verb.error(f"{verb.prog} does not know {' '.join(left)}{hint}")
        return arguments

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse does, with a suggestion; it has no public place for that."""
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            name = action.metavar if isinstance(action.metavar, str) else action.dest
            self.error(f"{self.prog} has no {name} {value!r}: {did_you_mean(str(value), choices)}")

    def _parser_of(self, words: Sequence[str]) -> argparse.ArgumentParser:
        found: argparse.ArgumentParser = self
        for word in words:
            verbs = next((a for a in found._actions if isinstance(a, argparse._SubParsersAction)), None)
            if verbs is not None and word in verbs.choices:
                found = verbs.choices[word]
        return found


def tell(error: HeadraceError, as_json: bool, command: str = "") -> int:
    """Print an error, for people to stderr, else as one JSON document to stdout; return its exit code."""
    if isinstance(error, ConfigError) and command not in _WITH_OVERRIDES:
        error = ConfigError([_in_options(problem) for problem in error.problems])
    if not as_json:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    said: dict[str, Any] = {"kind": type(error).__name__, "message": str(error), "exit_code": error.exit_code}
    if isinstance(error, ConfigError):
        said["problems"] = [
            {"where": problem.where, "found": problem.found, "hint": problem.hint}
            for problem in error.problems
        ]
    print(json.dumps({"error": said}, indent=1, ensure_ascii=False))
    return error.exit_code


def _in_options(problem: Problem) -> Problem:
    """Say a hint that a run could be given as what these commands take: options instead of overrides."""

    def option(found: re.Match[str]) -> str:
        key = found[1]
        return f"--{key} " if key in _OWN_OPTIONS else f"-o {key}="

    return Problem(problem.where, problem.found, _OVERRIDE.sub(option, problem.hint))
