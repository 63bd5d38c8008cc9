"""One stage on the real lake, with the real codecs: everything is stored, or nothing is."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.source_files import Sources
from headrace.adapters.source_models import SourceModels
from headrace.adapters.tracker_none import NoTracker
from headrace.assemble import codecs
from headrace.context import StageContext
from headrace.core.artifact import Artifact
from headrace.core.code import CodeIndex
from headrace.core.key import Key
from headrace.core.plan import StageResult
from headrace.core.ports import MAIN, ObjectInfo
from headrace.core.signature import Signature, find_signature
from headrace.core.spec import StageSpec
from headrace.errors import LakeBusy, ObjectNotFound, StageError
from headrace.execute import Workbench, artifact_is_there, execute_stage, load_artifact
from headrace.registry import read_current
from headrace.tell import open_display

STEPS = """
from pathlib import Path
import numpy as np
import pandas as pd


class Maker:
    @staticmethod
    def make(rows: int):
        return {"table": pd.DataFrame({"x": range(rows)})}


def make(rows: int, context):
    table = pd.DataFrame({"x": range(rows), "name": ["a"] * rows})
    return {"table": table, "facts": {"rows": rows, "seed": context.seed}, "array": np.arange(rows)}


def total(table: pd.DataFrame, array: np.ndarray, facts: dict, factor: float = 1.0):
    assert isinstance(table, pd.DataFrame) and isinstance(array, np.ndarray)
    return {"sum": {"x": float(table["x"].sum() * factor), "array": int(array.sum()), **facts}}


def count_lines(source: Path):
    return {"lines": {"count": len(source.read_text().splitlines())}}


def folder(context):
    root = context.workdir / "made"
    (root / "sub").mkdir(parents=True, exist_ok=True)
    (root / "a.txt").write_text("a")
    (root / "sub" / "b.txt").write_text("bb")
    return {"files": root}


def read_folder(files: Path):
    return {"found": {p.relative_to(files).as_posix(): p.read_text() for p in files.rglob("*.txt")}}


def model(regressor):
    return {"kind": {"class": type(regressor).__name__, "alpha": regressor.alpha}}


def forgets(rows: int):
    return {"table": pd.DataFrame({"x": [1]})}


def odd():
    return {"table": pd.DataFrame({"x": [1]}), "thing": object()}


def bare():
    return 3


def breaks():
    raise ValueError("no luck")


def refuses(source: Path):
    from headrace.errors import StageError

    raise StageError(f"{source} is empty")
"""


@pytest.fixture
def lake(tmp_path: Path) -> EmbeddedLake:
    return EmbeddedLake(tmp_path / "lake")


@pytest.fixture(autouse=True)
def _steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "executed_steps.py").write_text(STEPS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "executed_steps", raising=False)


@pytest.fixture
def bench(lake: EmbeddedLake, tmp_path: Path) -> Workbench:
    lake.create_branch("run-r1", MAIN)
    return Workbench(
        run_id="r1",
        lake=lake,
        codecs=codecs(),
        sources=Sources(
            lambda kind, file, compute: compute(),
            lake,
            lake.resolve(MAIN),
            SourceModels(partial(read_current, lake)),
        ),
        scratch=tmp_path / "scratch",
        commit_metadata={"experiment": "birds"},
    )


def spec(call: str, outputs: str, inputs: Mapping[str, str] | None = None, **params: Any) -> StageSpec:
    return StageSpec(
        name=call.rpartition(".")[2],
        call=f"executed_steps.{call}",
        params=params,
        inputs=inputs or {},
        outputs={name: f"{name}_out" for name in outputs.split()},
    )


def signature_of(stage: StageSpec) -> Signature:
    return find_signature(CodeIndex(lambda kind, file, compute: compute()), stage.call)


def run(
    bench: Workbench,
    stage: StageSpec,
    inputs: Mapping[str, Artifact] | None = None,
    signature: Signature | None = None,
) -> StageResult:
    signature = signature or signature_of(stage)
    display = open_display()
    try:
        context = StageContext(stage.name, 7, bench.scratch / "work", NoTracker(), display)
        return execute_stage(bench, stage, Key("k" * 64, {}), inputs or {}, signature, context)
    finally:
        display.close()


def untouched(bench: Workbench) -> bool:
    """Tell whether the run's branch is where `main` is, with nothing staged and no scratch left."""
    same = bench.lake.resolve(bench.branch) == bench.lake.resolve(MAIN)
    return same and not list(bench.lake.list(bench.branch)) and not list(bench.scratch.glob("*-*"))


def test_a_stage_goes_round(bench: Workbench) -> None:
    """Tables, arrays and dicts come back in the annotated types, and one commit holds a stage's outputs."""
    first = run(bench, spec("make", "table facts array", rows=4))
    assert {name: (a.codec, a.path) for name, a in first.outputs.items()} == {
        "table": ("parquet", "runs/r1/make/table_out.parquet"),
        "facts": ("json", "runs/r1/make/facts_out.json"),
        "array": ("npy", "runs/r1/make/array_out.npy"),
    }
    (commit,) = {artifact.commit for artifact in first.outputs.values()}
    log = bench.lake.log(bench.branch, limit=1)[0]
    assert log.id == commit == bench.lake.resolve(bench.branch)
    assert log.metadata == {"run": "r1", "stage": "make", "key": "k" * 64, "experiment": "birds"}
    stage = spec("total", "sum", {"table": "t", "array": "a", "facts": "f"}, factor=2.0)
    second = run(bench, stage, first.outputs)
    value = load_artifact(bench.lake, bench.codecs, second.outputs["sum"], "", bench.scratch)
    assert value == {"x": 12.0, "array": 6, "rows": 4, "seed": 7}
    assert (second.stage, second.run, second.key) == ("total", "r1", "k" * 64)
    assert second.seconds > 0
    assert not list(bench.scratch.glob("*-*"))


def test_the_same_values_have_the_same_digests(bench: Workbench) -> None:
    """Executed twice, a stage gives the same artifacts but for the commit that they are in."""
    stage = spec("make", "table facts array", rows=4)
    one, two = run(bench, stage), run(bench, stage)
    assert {n: a.digest for n, a in one.outputs.items()} == {n: a.digest for n, a in two.outputs.items()}


def test_an_external_file_is_given_as_a_path(bench: Workbench, tmp_path: Path) -> None:
    """The function reads the user's file where it lies."""
    (tmp_path / "notes.txt").write_text("a\nb\n", encoding="utf-8")
    result = run(bench, spec("count_lines", "lines", {"source": f"file:{tmp_path}/notes.txt"}))
    value = load_artifact(bench.lake, bench.codecs, result.outputs["lines"], "dict", bench.scratch)
    assert value == {"count": 2}


def test_a_file_of_the_lake_is_told_by_its_path_there(bench: Workbench, lake: EmbeddedLake) -> None:
    """What a stage says of it names no scratch file, which is gone by then."""
    lake.put(MAIN, "data/a.csv", b"")
    commit = lake.commit(MAIN, "a").id
    reading = replace(
        bench,
        sources=Sources(
            lambda kind, file, compute: compute(), lake, commit, SourceModels(partial(read_current, lake))
        ),
    )
    with pytest.raises(StageError, match=r"^data/a\.csv is empty$"):
        run(reading, spec("refuses", "none", {"source": "lake:data/a.csv"}))


def test_a_directory_is_stored_file_by_file(bench: Workbench) -> None:
    """A directory artifact has one digest, its size is that of its files, and it is read as a folder."""
    made = run(bench, spec("folder", "files")).outputs["files"]
    paths = {i.path for i in bench.lake.list(made.commit) if isinstance(i, ObjectInfo)}
    assert paths == {"runs/r1/folder/files_out/a.txt", "runs/r1/folder/files_out/sub/b.txt"}
    assert (made.path, made.bytes, made.codec) == ("runs/r1/folder/files_out", 3, "files")
    found = run(bench, spec("read_folder", "found", {"files": "f"}), {"files": made}).outputs["found"]
    value = load_artifact(bench.lake, bench.codecs, found, "", bench.scratch)
    assert value == {"a.txt": "a", "sub/b.txt": "bb"}
    assert artifact_is_there(bench.lake, made)


def test_a_node_is_built_for_the_stage(bench: Workbench) -> None:
    """A param with `_target_` arrives as what it names."""
    node = {"_target_": "sklearn.linear_model.Ridge", "alpha": 0.5}
    result = run(bench, spec("model", "kind", regressor=node))
    value = load_artifact(bench.lake, bench.codecs, result.outputs["kind"], "", bench.scratch)
    assert value == {"class": "Ridge", "alpha": 0.5}


def test_a_method_can_be_a_stage(bench: Workbench) -> None:
    """What the check of the config finds under a dotted name, execution finds too."""
    stage = spec("Maker.make", "table", rows=2)
    assert run(bench, stage).outputs["table"].codec == "parquet"


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (spec("forgets", "table extra", rows=1), "returned no 'extra'; there are: table"),
        (spec("forgets", "tabel", rows=1), "did you mean stages.forgets.outputs.table=<artifact>?"),
        (
            spec("odd", "table thing"),
            "output 'thing' of executed_steps.odd is a builtins.object, which no codec",
        ),
        (spec("bare", "table"), "executed_steps.bare returned a int; return a dict such as {'bare': value}"),
    ],
)
def test_an_output_that_cannot_be_stored_leaves_nothing(
    bench: Workbench, stage: StageSpec, message: str
) -> None:
    """Also the outputs that could be stored are not staged, and the message says what to do."""
    with pytest.raises(StageError) as caught:
        run(bench, stage)
    assert message in str(caught.value)
    assert untouched(bench)


def test_what_the_function_raises_comes_through(bench: Workbench) -> None:
    """The error is the function's own, and nothing is left."""
    with pytest.raises(ValueError, match="no luck"):
        run(bench, spec("breaks", "table"))
    assert untouched(bench)


def test_a_commit_that_fails_leaves_nothing_staged(bench: Workbench, tmp_path: Path) -> None:
    """A lake that is busy at the wrong moment does not mix half a stage into the next commit."""

    class BusyOnCommit(EmbeddedLake):
        def commit(self, *args: Any, **kwargs: Any) -> Any:
            raise LakeBusy("another writer")

    busy = Workbench(
        run_id="r1",
        lake=BusyOnCommit(tmp_path / "lake"),
        codecs=bench.codecs,
        sources=bench.sources,
        scratch=bench.scratch,
        commit_metadata={},
    )
    with pytest.raises(LakeBusy):
        run(busy, spec("make", "table facts array", rows=4))
    assert untouched(bench)


def test_stages_side_by_side_commit_apart(bench: Workbench) -> None:
    """Each commit of one branch holds the outputs of one stage, though both end at once."""
    stages = [spec("make", "table", rows=rows) for rows in (1, 2, 3)]
    named = [
        StageSpec(name=f"s{i}", call=s.call, params=s.params, outputs=s.outputs) for i, s in enumerate(stages)
    ]
    results: dict[str, StageResult] = {}
    errors: list[BaseException] = []
    # Beforehand, as a run does: Python 3.11's parser fails at times when two threads use it.
    signature = signature_of(named[0])

    def work(stage: StageSpec) -> None:
        try:
            results[stage.name] = run(bench, stage, signature=signature)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(stage,)) for stage in named]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for name, result in results.items():
        commit = result.outputs["table"].commit
        changed = bench.lake.diff(f"{commit}~1", commit)
        assert [change.path for change in changed] == [f"runs/r1/{name}/table_out.parquet"]


def test_an_artifact_is_gone_after_its_branch_is_collected(bench: Workbench) -> None:
    """Files and directories are there while a ref reaches them, and after the collection no more."""
    made = [run(bench, spec("folder", "files")), run(bench, spec("make", "table", rows=2))]
    artifacts = [artifact for result in made for artifact in result.outputs.values()]
    assert all(artifact_is_there(bench.lake, artifact) for artifact in artifacts)
    bench.lake.delete_branch(bench.branch)
    bench.lake.gc()
    assert not any(artifact_is_there(bench.lake, artifact) for artifact in artifacts)


def test_an_artifact_with_other_content_is_not_there(bench: Workbench) -> None:
    """The digest decides, not the path; so a directory that lost a file is a miss."""
    made = run(bench, spec("folder", "files")).outputs["files"]
    bench.lake.delete(bench.branch, [f"{made.path}/a.txt"])
    commit = bench.lake.commit(bench.branch, "lose a file")
    moved = Artifact(digest=made.digest, bytes=3, codec="files", uri=f"lake://{commit.id}/{made.path}")
    missing = Artifact(digest=made.digest, bytes=3, codec="files", uri=f"lake://{commit.id}/nowhere")
    assert not artifact_is_there(bench.lake, moved)
    assert not artifact_is_there(bench.lake, missing)
    with pytest.raises(ObjectNotFound, match="there is nothing at lake://"):
        load_artifact(bench.lake, bench.codecs, missing, "", bench.scratch)


def test_an_unknown_codec_names_those_that_there_are(bench: Workbench) -> None:
    """A record of a headrace with more codecs is refused with a message."""
    artifact = Artifact(digest="sha256:0", bytes=0, codec="hologram", uri="lake://c/x")
    with pytest.raises(
        StageError, match="no codec 'hologram' reads lake://c/x; there are: estimator, figure"
    ):
        load_artifact(bench.lake, bench.codecs, artifact, "", bench.scratch)


def test_values_are_as_they_were(bench: Workbench) -> None:
    """A table and an array are read back equal, to the type."""
    made = run(bench, spec("make", "table array", rows=3)).outputs
    table = load_artifact(bench.lake, bench.codecs, made["table"], "pandas.DataFrame", bench.scratch)
    pd.testing.assert_frame_equal(table, pd.DataFrame({"x": range(3), "name": ["a"] * 3}))
    array = load_artifact(bench.lake, bench.codecs, made["array"], "numpy.ndarray", bench.scratch)
    np.testing.assert_array_equal(array, np.arange(3))
