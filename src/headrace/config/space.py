"""Read what a sweep searches: `hydra.sweeper.params` and the command line, in Hydra's own grammar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override

from headrace.config.domain import Word, is_scalar, parse_word, read_domain
from headrace.config.override import format_value
from headrace.core.grid import Value, grid_values, is_open, nearest_step
from headrace.core.secrets import redact_overrides
from headrace.core.space import Choice, Domain, Interval, Space, same_value
from headrace.errors import ConfigError, Problem, did_you_mean

PARAMS = "hydra.sweeper.params"

Path = tuple[tuple[str, Value], ...]  # the conditions under which a key is drawn, from the outside in


def parse_space(
    params: Mapping[str, Any], overrides: Sequence[str], loader: ConfigLoader | None = None
) -> tuple[Space, list[str]]:
    """Return the space, and the overrides that are the same in each trial.

    A key of `params` is an override's, a value what the override sets. Under `model=svm` there may
    be a mapping: params that are drawn only where `model` came out as `svm`, also inside one
    another. Of one key the command line's word counts, at the place where `params` has the key.
    Where it fixes what a condition asks, such as `model=svm`, the params of other models are left out.
    A range ends before its stop, as Python's does, by the numbers as they are written.

    Args:
        params: `hydra.sweeper.params` as plain data.
        overrides: The words of the command line.
        loader: Knows the options of config groups, for `glob`.

    Raises:
        ConfigError: Names everything that is wrong with either.
    """
    reader = _Reader(loader)
    space = reader.read(params, overrides)
    if reader.problems:
        raise ConfigError(reader.problems)
    return space, [*reader.fixed.values()]


@dataclass
class _Level:
    """The keys that are drawn together, under the same conditions."""

    path: Path
    domains: dict[str, Domain] = field(default_factory=dict)
    when: dict[tuple[str, Value], Space] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)  # of each bare key, the one in `domains`

    def space(self) -> Space:
        return Space(domains=self.domains, when=self.when)


@dataclass
class _Fixed:
    value: Any


class _Reader:
    """Holds what is known while the params are read."""

    def __init__(self, loader: ConfigLoader | None) -> None:
        self.loader = loader
        self.problems: list[Problem] = []
        self.fixed: dict[str, str] = {}  # words by bare key
        self.values: dict[str, _Fixed] = {}  # what the fixed words set
        self.given: dict[str, tuple[Word, Override]] = {}  # the command line by bare key
        self.places: dict[str, list[tuple[Path, str]]] = {}

    def read(self, params: Mapping[str, Any], overrides: Sequence[str]) -> Space:
        for text in overrides:
            where = redact_overrides([text])[0]
            word = Word(where, f"{text.partition('=')[0]}=", text)
            parsed = self._parse(word)
            if parsed is not None:
                self.given.pop(_bare(parsed), None)  # the last word counts, at its own place
                self.given[_bare(parsed)] = word, parsed
        top = _Level(path=())
        self._read_plain(params, PARAMS, top)
        inside = set(_keys_inside(params))
        for bare, (word, parsed) in self.given.items():
            if bare not in self.places and bare not in inside:
                self._take(top, word, parsed)
        self._read_branches(params, PARAMS, top, [top])
        for bare, (word, parsed) in self.given.items():
            if bare not in self.places:  # its branch is left out
                self._take(top, word, parsed)
        self._check_places()
        return top.space()

    def _parse(self, word: Word) -> Override | None:
        parsed = parse_word(word, self.loader)
        if isinstance(parsed, Problem):
            self.problems.append(parsed)
            return None
        return parsed

    def _read_plain(self, params: Mapping[str, Any], where: str, level: _Level) -> None:
        for key, value in params.items():
            if isinstance(value, Mapping):
                continue
            text = value if isinstance(value, str) else format_value(value)
            word = Word(f"{where}.{key}", f"{key}: ", f"{key}={text}")
            parsed = self._parse(word)
            if parsed is not None:
                self._take(level, *self.given.get(_bare(parsed), (word, parsed)))

    def _take(self, level: _Level, word: Word, parsed: Override) -> None:
        """Put one override where it belongs: among the domains, or among the fixed words."""
        bare = _bare(parsed)
        if not parsed.is_sweep_override() and not level.path:
            self.fixed[bare] = word.text
            self.values[bare] = _Fixed(parsed.value())
        else:
            domain = read_domain(parsed, word) if parsed.is_sweep_override() else _only(parsed, word)
            if isinstance(domain, Problem):
                self.problems.append(domain)
                domain = Choice(values=())  # other problems are still to be found
            level.keys[bare] = parsed.get_key_element()
            level.domains[level.keys[bare]] = domain
        self.places.setdefault(bare, []).append((level.path, word.where))

    def _read_branches(
        self, params: Mapping[str, Any], where: str, level: _Level, above: Sequence[_Level]
    ) -> None:
        for key, inner in params.items():
            if isinstance(inner, Mapping):
                self._read_branch(key, inner, f"{where}.{key}", level, above)

    def _read_branch(
        self, key: str, inner: Mapping[str, Any], where: str, level: _Level, above: Sequence[_Level]
    ) -> None:
        condition = self._condition(Word(where, "", key))
        if condition is None:
            return
        bare, value = condition
        if bare in self.values:
            if _is(self.values[bare].value, value):
                self._read_plain(inner, where, level)
                self._read_branches(inner, where, level, above)
            return
        owner = next((one for one in reversed(above) if bare in one.keys), None)
        if owner is None:
            known = [name for one in above for name in one.keys]
            hint = did_you_mean(bare, known, f"{{}}={format_value(value)}: …")
            self.problems.append(Problem(where, f"the search draws no '{bare}'", hint))
            return
        drawn = owner.keys[bare]
        found = _find(owner.domains[drawn], value)
        if found is None:
            self.problems += _never(where, bare, value, owner.domains[drawn])
            return
        branch = _Level(path=(*level.path, (bare, found.value)))
        self._read_plain(inner, where, branch)
        self._read_branches(inner, where, branch, [*above, branch])
        level.when[drawn, found.value] = branch.space()

    def _condition(self, word: Word) -> tuple[str, Value] | None:
        """Read `model=svm`."""
        parsed = self._parse(word) if "=" in word.text else None
        if parsed is None and "=" in word.text:
            return None
        if parsed is None or parsed.is_sweep_override() or not is_scalar(parsed.value()):
            found = "params that hang on another one stand below that one and its value"
            self.problems.append(Problem(word.where, found, "type: <param>=<value>: and below it the params"))
            return None
        value: Any = parsed.value()
        return _bare(parsed), value

    def _check_places(self) -> None:
        """Find the keys that one trial would set twice."""
        for bare, places in self.places.items():
            for n, (path, where) in enumerate(places):
                for other, first in places[:n]:
                    if not _exclude(path, other):
                        found = f"'{bare}' is set already by {first}"
                        self.problems.append(Problem(where, found, "leave one of the two out"))


def _bare(parsed: Override) -> str:
    """Return the key without `+`, which says how to set it and not what."""
    return parsed.get_key_element().lstrip("+")


def _keys_inside(params: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from _keys_inside(value, depth + 1)
        elif depth:
            yield key.lstrip("+")


def _only(parsed: Override, word: Word) -> Choice | Problem:
    """Take a fixed value under a condition as the only one to choose."""
    value: Any = parsed.value()
    if parsed.is_delete() or not is_scalar(value):
        found = "under a condition a search sets single values"
        return Problem(word.where, found, "make it a file of a config group, and name the file here")
    return Choice(values=(value,))


def _is(left: Any, right: Any) -> bool:
    """Compare as a person does: 1 is 1.0, and neither is true."""
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _find(domain: Domain, value: Any) -> _Fixed | None:
    """Return the domain's own value that a condition means."""
    if isinstance(domain, Interval):
        if is_open(domain) or isinstance(value, bool) or not isinstance(value, int | float):
            return None
        near = nearest_step(domain, value)
        return _Fixed(near) if near == value else None
    alike = [own for own in domain.values if _is(own, value)]
    exact = [own for own in alike if same_value(own, value)]
    return next((_Fixed(own) for own in [*exact, *alike]), None)


def _never(where: str, bare: str, value: Any, domain: Domain) -> Iterator[Problem]:
    text = format_value(value)
    if isinstance(domain, Interval):
        found = f"'{bare}' goes from {domain.low} to {domain.high}"
        hint = "a condition asks for one value of a choice or of a range"
        yield Problem(where, f"{found} and is not {text}" if not is_open(domain) else found, hint)
    elif domain.values:  # those of a broken choice are not known
        known = [format_value(own) for own in grid_values(domain)]
        yield Problem(where, f"'{bare}' is never {text}", did_you_mean(text, known, f"{bare}={{}}: …"))


def _exclude(path: Path, other: Path) -> bool:
    """Tell whether no trial meets both."""
    return any(
        key == other_key and not same_value(value, other_value)
        for key, value in path
        for other_key, other_value in other
    )
