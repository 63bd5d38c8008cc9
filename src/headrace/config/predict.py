"""The config of a batch, `conf/predict.yaml`: its shape, and what cannot be."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Optional

from omegaconf import MISSING, DictConfig

from headrace.config.resolve import resolve
from headrace.config.schema import RuntimeNode
from headrace.config.typed import typed_node, unknown_keys
from headrace.core.serving import ENGINES
from headrace.errors import ConfigError, Problem, did_you_mean

RUNTIMES = ("local", "cloud", "inline")
SUFFIXES = (".parquet", ".csv", ".csv.gz")


@dataclass
class PredictNode:
    """The whole."""

    model: str = MISSING  # NAME, NAME@ALIAS, NAME/VERSION, or a folder
    input: str = MISSING  # a file, files by a glob, or lake:<file or folder>
    output: str = MISSING  # a file, or lake:<file>
    probabilities: bool = False  # true: a column for each class too
    keep: Optional[list[str]] = None  # noqa: UP045  # columns of the input that stay; null: all
    ref: str = "main"  # of the lake, where lake: reads
    engine: str = "native"  # or onnx
    partition_rows: int = 65_536  # read, answered and remembered together
    runtime: RuntimeNode = field(default_factory=RuntimeNode)

    @property
    def runtime_kind(self) -> str:
        return self.runtime.kind

    @property
    def max_workers(self) -> int | None:
        return self.runtime.max_workers


_KEYS = [f.name for f in fields(PredictNode)]


def load_predict(cfg: DictConfig, problems: list[Problem]) -> PredictNode:
    """Check the composed config of a batch. Raises `ConfigError` with every problem, and those before."""
    raw = {str(key): cfg._get_node(key) for key in cfg}
    problems += unknown_keys("", raw, _KEYS)
    data = resolve(cfg, problems)
    runtime = typed_node(RuntimeNode, "runtime", data.pop("runtime", {}), problems)
    typed = typed_node(PredictNode, "", {k: v for k, v in data.items() if k in _KEYS}, problems)
    assert typed is not None
    if runtime is not None:
        typed.runtime = runtime
        if runtime.kind not in RUNTIMES:
            hint = did_you_mean(runtime.kind, RUNTIMES, "runtime={}")
            problems.append(Problem("runtime", f"a batch does not run on '{runtime.kind}'", hint))
    problems += _check_words(typed)
    if problems:
        raise ConfigError(problems)
    return typed  # type: ignore[no-any-return]


def _check_words(node: PredictNode) -> list[Problem]:
    problems = []
    for key in ("input", "output"):
        uri = str(getattr(node, key))
        if uri in (MISSING, "") or (key == "input" and uri.startswith("lake:") and _may_be_folder(uri)):
            continue
        if suffix_of(uri) is None:
            found = f"{uri!r} ends with none of {', '.join(SUFFIXES)}"
            problems.append(Problem(key, found, f"type: {key}=<path>.parquet"))
    if str(node.output).startswith("package:"):
        problems.append(Problem("output", "a package takes no files", "type: output=<path>.parquet"))
    if node.input == node.output != MISSING:
        problems.append(Problem("output", "is the input itself", "choose another name"))
    if node.engine not in ENGINES:
        hint = did_you_mean(node.engine, ENGINES, "engine={}")
        problems.append(Problem("engine", f"there is no engine '{node.engine}'", hint))
    if node.partition_rows < 1:
        problems.append(Problem("partition_rows", f"{node.partition_rows} is below 1", "use 1 or more"))
    return problems


def suffix_of(path: str) -> str | None:
    """Return which of the known suffixes a path has; None for another one."""
    return next((suffix for suffix in SUFFIXES if path.lower().endswith(suffix)), None)


def _may_be_folder(uri: str) -> bool:
    return "." not in uri.rpartition("/")[2]
