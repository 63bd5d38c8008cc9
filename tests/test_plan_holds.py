"""A plan keeps its word: whatever was edited, the next run does what the plan said."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.core.plan import State
from headrace.run import run_job
from headrace.tell import LineDisplay
from tests.toy import CONF, PIPELINE, Toy, states

FACTORS = st.tuples(st.just("factor"), st.integers(1, 3))
LIMITS = st.tuples(st.just("limit"), st.sampled_from([50, 100]))
DATA = st.tuples(st.just("data"), st.sampled_from(["1 2 3", "1  2 3", "3 2 1", "4"]))
CODE = st.tuples(
    st.sampled_from(["helper", "count", "comment", "docstring", "unreached", "judge"]), st.integers(0, 2)
)
CACHE = st.tuples(
    st.sampled_from(["forget", "force", "stop_after"]), st.sampled_from(["load", "double", "judge"])
)
EDIT = st.one_of(FACTORS, LIMITS, DATA, CODE, CACHE)


class Edited:
    """A toy project, and the overrides that the next command gives."""

    def __init__(self, folder: Path) -> None:
        self.toy = Toy(folder)
        self.factor, self.limit = 2, 100
        self.once: list[str] = []

    def edit(self, kind: str, value: object) -> None:
        toy = self.toy
        if kind == "factor":
            self.factor = int(str(value))
        elif kind == "limit":
            self.limit = int(str(value))
        elif kind == "data":
            (toy.folder / "data.txt").write_text(str(value))
        elif kind == "helper":
            toy.helper = f"def scale(x, factor):\n    return x * factor + {value} - {value}\n"
        elif kind == "count":
            toy.code = re.sub(r'\{"n": .*?\}', f'{{"n": len(rows) + {value}}}', toy.code)
        elif kind == "judge":
            toy.code = re.sub(r"total = .*", f"total = sum(doubled) + {value}", toy.code)
        elif kind == "comment":
            toy.code += f"# nothing to see here: {value}\n"
        elif kind == "docstring":
            toy.helper = re.sub(
                r"(def scale\(.*\):\n)(    \"\"\".*\"\"\"\n)?",
                rf'\1    """Say {value}."""' + "\n",
                toy.helper,
            )
        elif kind == "unreached":
            (toy.folder / "toy_other.py").write_text(f"x = {value}\n")
        elif kind == "forget":
            self._forget(str(value))
        else:
            self.once.append(f"{kind}={value}")

    def words(self) -> list[str]:
        params = [f"stages.double.params.factor={self.factor}", f"stages.judge.params.limit={self.limit}"]
        return [*params, *self.once]

    def _forget(self, stage: str) -> None:
        """Lose a stage's record in the cache."""
        self.toy.write()
        prepared = self.toy.prepare(*self.words())
        plan = next((found for found in prepared.plan.stages if found.name == stage), None)
        if plan is not None and plan.key is not None:
            prepared.job.cache.forget(plan.key.value)


def hold(edited: Edited) -> None:
    """Plan, run, and compare."""
    toy, words = edited.toy, edited.words()
    toy.write()
    prepared = toy.prepare(*words)
    said = {stage.name: stage.state for stage in prepared.plan.stages}
    record = run_job(prepared.job, prepared.plan, LineDisplay(sys.stderr))
    calls = list(getattr(sys.modules.get("toy_stages"), "CALLS", []))
    found = states(record)
    for name, state in said.items():
        allowed = {State.CACHED: {"cached"}, State.RUN: {"ran"}, State.MAYBE: {"ran", "cached"}}[state]
        if found[name] == "skipped":  # a gate said no before it
            assert record.state == "rejected"
            continue
        assert found[name] in allowed, (name, state, found, record.error)
    assert sorted(calls) == sorted(name for name, state in found.items() if state == "ran")
    edited.once = []


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(st.lists(EDIT, max_size=3), min_size=1, max_size=4))
def test_the_next_run_does_what_the_plan_said(
    rounds: list[list[tuple[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CACHED is cached, RUN runs, MAYBE does either, and no stage runs that was not to."""
    with tempfile.TemporaryDirectory() as name, monkeypatch.context() as patch:
        folder = Path(name)
        for part, text in (("experiment/toy", CONF), ("pipeline/bare", PIPELINE)):
            file = folder / "conf" / f"{part}.yaml"
            file.parent.mkdir(parents=True)
            file.write_text(dedent(text).lstrip())
        (folder / "data.txt").write_text("1 2 3")
        patch.chdir(folder)
        patch.syspath_prepend(name)
        patch.setattr(sys, "dont_write_bytecode", True)
        edited = Edited(folder)
        hold(edited)
        for edits in rounds:
            for kind, value in edits:
                edited.edit(kind, value)
            hold(edited)
