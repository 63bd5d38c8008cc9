"""What every `Runtime` does. Inherit from `RuntimeContract` and give a `runtime` fixture."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from headrace.core.ports import Runtime, StageTask
from headrace.errors import GateRejected, Pruned, StageError

PARAMETERS = {"experiment": "penguins", "overrides": ["model.C=3"]}


def make_task(execute: Callable[[], dict[str, Any]], key: str = "0", **changes: Any) -> StageTask:
    """Make a task for `execute`; `key` is padded to the length of a real one."""
    fields: dict[str, Any] = {
        "name": "fit",
        "retries": 0,
        "retry_delay_seconds": (),
        "timeout_seconds": None,
        "cache": True,
        "alone": True,
    }
    return StageTask(**{**fields, **changes, "key": key.rjust(64, "0"), "execute": execute})


def run(runtime: Runtime, body: Callable[[], Any]) -> Any:
    return runtime.run("penguins 20261124", body, PARAMETERS, "| stage | why |\n|---|---|\n| fit | new |")


class Flaky:
    """A stage that fails a number of times, and then gives its record."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or ValueError("the disk is full")
        self.called: list[float] = []

    def __call__(self) -> dict[str, Any]:
        self.called.append(time.monotonic())
        if len(self.called) <= self.failures:
            raise self.error
        return {"rows": 344, "digest": "sha256:00", "share": 0.25, "none": None}


class RuntimeContract:
    """The contract suite of the port `Runtime`."""

    @pytest.fixture
    def runtime(self) -> Runtime:
        raise NotImplementedError

    @pytest.mark.parametrize("alone", [True, False])
    def test_the_record_comes_back(self, runtime: Runtime, alone: bool) -> None:
        """What a stage returns is what its future and then `run` return."""
        stage = Flaky(0)
        record = run(runtime, lambda: runtime.submit(make_task(stage, alone=alone)).result())
        assert record == {"rows": 344, "digest": "sha256:00", "share": 0.25, "none": None}
        assert len(stage.called) == 1

    def test_a_key_executes_once(self, runtime: Runtime) -> None:
        """A key that has a record is not executed again, not even by another run."""
        stage = Flaky(0)
        first = run(runtime, lambda: runtime.submit(make_task(stage)).result())
        again = run(runtime, lambda: runtime.submit(make_task(stage)).result())
        assert first == again
        assert len(stage.called) == 1

    def test_without_cache_it_executes_each_time(self, runtime: Runtime) -> None:
        """A stage with `cache: false` leaves no record and finds none."""
        stage = Flaky(0)
        for _ in range(2):
            run(runtime, lambda: runtime.submit(make_task(stage, cache=False)).result())
        assert len(stage.called) == 2

    @pytest.mark.parametrize("alone", [True, False])
    def test_retries_wait_as_long_as_they_say(self, runtime: Runtime, alone: bool) -> None:
        """Two failures and two retries succeed, with the back-off that the stage asks for."""
        stage = Flaky(2)
        task = make_task(stage, retries=2, retry_delay_seconds=(0.05, 0.2), alone=alone)
        assert run(runtime, lambda: runtime.submit(task).result())["rows"] == 344
        first, second, third = stage.called
        assert second - first >= 0.045
        assert third - second >= 0.195

    @pytest.mark.parametrize("alone", [True, False])
    @pytest.mark.parametrize("error", [ValueError("no rows"), StageError("column species: no rows")])
    def test_a_stage_error_comes_out_as_itself(self, runtime: Runtime, alone: bool, error: Exception) -> None:
        """The very exception of the stage comes out of `run`, after its last retry."""
        stage = Flaky(9, error)
        with pytest.raises(type(error)) as caught:
            run(runtime, lambda: runtime.submit(make_task(stage, retries=1, alone=alone)).result())
        assert caught.value is error
        assert len(stage.called) == 2

    def test_a_failure_is_not_remembered(self, runtime: Runtime) -> None:
        """After a failed run the same key executes again, and may succeed."""
        stage = Flaky(1)
        with pytest.raises(ValueError, match="the disk is full"):
            run(runtime, lambda: runtime.submit(make_task(stage)).result())
        assert run(runtime, lambda: runtime.submit(make_task(stage)).result())["rows"] == 344

    @pytest.mark.parametrize("alone", [True, False])
    @pytest.mark.parametrize("cache", [True, False])
    def test_a_pruned_stage_is_neither_tried_again_nor_remembered(
        self, runtime: Runtime, alone: bool, cache: bool
    ) -> None:
        """The very `Pruned` comes out of `run` at once, and the same key executes again afterwards."""
        stage = Flaky(1, pruned := Pruned.at("fit", 3))
        task = make_task(stage, retries=3, alone=alone, cache=cache)
        with pytest.raises(Pruned) as caught:
            run(runtime, lambda: runtime.submit(task).result())
        assert caught.value is pruned
        assert len(stage.called) == 1
        assert run(runtime, lambda: runtime.submit(task).result())["rows"] == 344
        assert len(stage.called) == 2

    def test_the_error_waits_in_the_future(self, runtime: Runtime) -> None:
        """`submit` itself does not raise, so a body may finish other stages first."""

        def body() -> list[str]:
            failing = runtime.submit(make_task(Flaky(1), "a"))
            good = runtime.submit(make_task(Flaky(0), "b"))
            seen = [str(good.result()["rows"])]
            try:
                failing.result()
            except ValueError as error:
                seen.append(str(error))
            return seen

        assert run(runtime, body) == ["344", "the disk is full"]

    def test_an_error_of_the_body_comes_out_as_itself(self, runtime: Runtime) -> None:
        """What the body raises between stages, such as a gate's no, is not wrapped."""

        def body() -> None:
            raise GateRejected("accuracy 0.4, wanted 0.9")

        with pytest.raises(GateRejected, match=r"wanted 0\.9"):
            run(runtime, body)

    @pytest.mark.parametrize("alone", [True, False])
    def test_an_interrupt_comes_out_as_itself(self, runtime: Runtime, alone: bool) -> None:
        """Ctrl-C inside a stage ends the run at once, without a retry."""
        called = []

        def interrupted() -> dict[str, Any]:
            called.append(1)
            raise KeyboardInterrupt

        task = make_task(interrupted, retries=3, alone=alone)
        with pytest.raises(KeyboardInterrupt):
            run(runtime, lambda: runtime.submit(task).result())
        assert called == [1]

    def test_a_timeout_stops_a_stage_that_is_alone(self, runtime: Runtime) -> None:
        """A stage over its time ends then, and the error says which setting allows more."""
        started = time.monotonic()

        def endless() -> dict[str, Any]:
            while time.monotonic() - started < 20:
                pass
            return {}

        with pytest.raises(StageError, match=r"stages\.fit\.timeout_seconds"):
            run(runtime, lambda: runtime.submit(make_task(endless, timeout_seconds=0.2)).result())
        assert time.monotonic() - started < 15

    def test_many_stages_in_one_run(self, runtime: Runtime) -> None:
        """Thirty stages of one run each give their own record, in whatever order they ran."""

        def body() -> list[int]:
            futures = [
                runtime.submit(make_task(partial(dict, i=i), str(i), name=f"s{i}", alone=i % 2 == 0))
                for i in range(30)
            ]
            return [future.result()["i"] for future in futures]

        assert run(runtime, body) == list(range(30))
