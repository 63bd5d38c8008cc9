"""`python -m flows.predict`, as people use it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

import headrace
from flows.predict import run_predict
from flows.serve import read_settings
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.model_onnx import OnnxExport
from headrace.errors import ConfigError, ModelNotFound, RepositoryNotFound
from tests import packages

ROOT = Path(__file__).parents[2]
WORDS = ["model=birds", "input=new.csv", "output=out.parquet", "runtime=inline"]


@pytest.fixture
def birds(project: Path) -> EmbeddedLake:
    lake = EmbeddedLake(project / ".headrace" / "lake")
    packages.publish(lake, packages.make())
    packages.rows(seed=1, count=50).drop(columns=["species"]).to_csv("new.csv", index=False)
    return lake


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}


def predict(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.predict", *words]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)


def test_command_scores_and_tells(birds: EmbeddedLake) -> None:
    """One command scores a table and tells rows, reasons, rate and places; the next finds nothing to do."""
    with Path("new.csv").open("a") as file:
        file.write("1.5,Nowhere,r\n")
    done = predict(*WORDS)
    assert done.returncode == 0, done.stderr
    assert "model     birds version 1\n" in done.stdout
    assert "rows      51 in, 50 out, 1 rejected\n          1  island: wanted" in done.stdout
    assert "output    out.parquet\nrejected  out.rejected.parquet\n" in done.stdout
    assert "rows/s" in done.stdout
    assert len(pd.read_parquet("out.parquet")) == 50
    again = predict(*WORDS)
    assert again.returncode == 0
    assert "nothing to do: out.parquet is what birds version 1 says of it\n" in again.stdout


def test_the_lake_is_the_one_that_the_project_trains_with(project: Path) -> None:
    """A lake that `conf/train.yaml` chooses is the lake of every command, and a word chooses another."""
    own = Path("conf")
    shutil.copytree(ROOT / "conf" / "lake", own / "lake")
    text = (ROOT / "conf" / "lake" / "embedded.yaml").read_text()
    (own / "lake" / "mine.yaml").write_text(text.replace("${headrace_dir}/lake", "elsewhere"))
    train = (ROOT / "conf" / "train.yaml").read_text()
    (own / "train.yaml").write_text(train.replace("lake: embedded", "lake: mine"))
    packages.publish(EmbeddedLake(project / "elsewhere"), packages.make())
    assert headrace.load_model("birds").version == 1
    assert read_settings(["model=birds"]).lake["root"] == "elsewhere"
    packages.rows(seed=1, count=5).drop(columns=["species"]).to_csv("new.csv", index=False)
    assert run_predict(WORDS) == 0
    with pytest.raises(RepositoryNotFound):
        run_predict([*WORDS, "lake=embedded"])


def test_the_other_engine_gives_the_same_labels(project: Path) -> None:
    """With onnx a table is scored as without, but for rounding."""
    pytest.importorskip("skl2onnx", reason="the extra onnx is not installed")
    packages.publish(EmbeddedLake(project / ".headrace" / "lake"), packages.make(export=OnnxExport()))
    packages.rows(seed=1, count=50).drop(columns=["species"]).to_csv("new.csv", index=False)
    found = {}
    for engine in ("native", "onnx"):
        words = ["model=birds", "input=new.csv", f"output={engine}.parquet", "runtime=inline"]
        assert run_predict([*words, f"engine={engine}", "probabilities=true"]) == 0
        found[engine] = pd.read_parquet(f"{engine}.parquet")
    pd.testing.assert_frame_equal(found["native"], found["onnx"], rtol=0, atol=1e-5)


def test_nothing_to_do_imports_no_model(birds: EmbeddedLake, capsys: pytest.CaptureFixture[str]) -> None:
    """A command with nothing to do loads neither the model nor a data library."""
    assert run_predict(WORDS) == 0
    code = (
        "import sys; from flows.predict import run_predict; run_predict(sys.argv[1:]); "
        "sys.exit(','.join({'sklearn', 'pandas', 'pyarrow', 'prefect', 'torch'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, *WORDS]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert "nothing to do" in done.stdout
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["modle=birds"], "modle: there is no such key\n      did you mean model=…?"),
        ([], "model: has no value"),
        (["model=birds", "input=new.txt", "output=out.csv"], "'new.txt' ends with none of .parquet, .csv"),
        (["model=birds", "input=new.csv", "output=out"], "'out' ends with none of"),
        ([*WORDS[:1], "input=new.csv", "output=new.csv"], "output: is the input itself"),
        ([*WORDS, "engine=onxn"], "did you mean engine=onnx?"),
        ([*WORDS, "partition_rows=0"], "partition_rows: 0 is below 1"),
        ([*WORDS, "probabilities=maybe"], "probabilities"),
        ([*WORDS[:3], "runtime=dask"], "a batch does not run on 'dask'"),
        (
            ["model=birds", "input=nwe.csv", "output=o.csv"],
            "there is no file nwe.csv\n      did you mean new.csv?",
        ),
    ],
)
def test_wrong_words_are_told(birds: EmbeddedLake, words: list[str], told: str) -> None:
    """Wrong words and an input that is not there end the command with what to type, before anything runs."""
    with pytest.raises(ConfigError) as caught:
        run_predict(words)
    assert told in str(caught.value)
    assert caught.value.exit_code == 2


def test_unknown_model_is_told(birds: EmbeddedLake) -> None:
    """A model that the lake does not have is an error of its own, with code 1."""
    with pytest.raises(ModelNotFound, match="brids"):
        run_predict(["model=brids", *WORDS[1:]])


def test_columns_to_keep_are_a_list(birds: EmbeddedLake) -> None:
    """`keep=[...]` is read as a list, and the rows come with their probabilities where asked."""
    assert run_predict([*WORDS, "keep=[ring]", "probabilities=true"]) == 0
    found = pd.read_parquet("out.parquet").columns.tolist()
    assert found == ["ring", "prediction", "probability_Adelie", "probability_Gentoo"]


def test_killed_command_goes_on(birds: EmbeddedLake) -> None:
    """After SIGKILL nothing is seen of the output, and the same command computes what lacks."""
    rows = packages.rows(seed=2, count=3000).drop(columns=["species"])
    rows.to_csv("new.csv", index=False)
    words = [*WORDS, "partition_rows=5"]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.predict", *words], env=environment(), stdout=subprocess.DEVNULL
    )
    parts = Path(".headrace", "batch")
    while process.poll() is None and len(list(parts.glob("*/part-*.arrow"))) < 20:
        threading.Event().wait(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not Path("out.parquet").exists()
    done = predict(*words)
    assert done.returncode == 0, done.stderr
    assert "rows were there from an earlier try" in done.stdout
    found = pd.read_parquet("out.parquet")
    assert found["ring"].tolist() == rows["ring"].tolist()
    assert list(parts.glob("*/*.arrow")) == list(Path().glob(".out*")) == []


@pytest.mark.slow
@pytest.mark.server
def test_partitions_are_tasks_of_one_flow(birds: EmbeddedLake) -> None:
    """On the local Prefect server a batch is one flow run, which the command says where to find."""
    try:
        done = predict(*WORDS[:3], "partition_rows=20")
        assert done.returncode == 0, done.stderr
        assert "rows      50 in, 50 out, 0 rejected\n" in done.stdout
        assert "Prefect   http://127.0.0.1:" in done.stdout
        assert "headrace server stop" in done.stdout
    finally:
        stop = [sys.executable, "-c", "from headrace.cli import main; main()", "server", "stop"]
        subprocess.run(stop, env=environment(), check=True, capture_output=True)
