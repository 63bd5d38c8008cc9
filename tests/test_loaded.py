"""A published model is had by name or from a folder, checked, in a process that loads nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import headrace
from headrace.adapters.lake_embedded import EmbeddedLake
from headrace.adapters.model_onnx import OnnxExport
from headrace.core.digest import digest_file
from headrace.core.ports import MAIN, ObjectInfo
from headrace.errors import ModelNotFound, PackageRefused, RowsRejected, StageError
from headrace.loaded import Model, load_folder, load_model, parse_model
from tests.packages import make, publish, rows


@pytest.fixture
def lake(tmp_path: Path) -> EmbeddedLake:
    return EmbeddedLake(tmp_path / ".headrace" / "lake")


def copy(lake: EmbeddedLake, version: int, folder: Path) -> Path:
    """Copy a version out of the lake, as people do by hand."""
    prefix = f"models/birds/{version}/"
    for info in lake.list(MAIN, prefix=prefix):
        assert isinstance(info, ObjectInfo)
        target = folder / info.path.removeprefix(prefix)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(lake.local_path(MAIN, info.path), target)
    return folder


def test_a_model_answers_a_table_and_records_alike(lake: EmbeddedLake) -> None:
    """By alias, by version and by name alone; what it knows of itself comes along."""
    package = make()
    publish(lake, package, beside={"card.md": b"# birds\n", "lineage.json": b'{"run": "r1"}'})
    model = load_model("birds@production", lake=lake)
    asked = rows(seed=1)
    wanted = package.estimator.predict(asked)
    assert model.predict(asked).tolist() == wanted.tolist()
    columns = asked[["mass", "island"]].astype(object)
    records = columns.where(columns.notna(), None).to_dict("records")
    assert model.predict(records).tolist() == wanted.tolist()
    np.testing.assert_array_equal(model.predict_proba(records), package.estimator.predict_proba(asked))
    assert (model.name, model.version, model.card, model.lineage) == ("birds", 1, "# birds\n", {"run": "r1"})
    assert {load_model(name, lake=lake).version for name in ("birds", "birds/1")} == {1}
    assert "birds/1" in repr(model)


@pytest.mark.parametrize("missing", [None, np.nan, np.float32("nan"), pd.NA])
def test_records_may_be_cut_out_of_a_table(lake: EmbeddedLake, missing: object) -> None:
    """numpy's numbers are numbers, and what a table calls missing is missing."""
    publish(lake, make())
    model = load_model("birds", lake=lake)
    plain = model.predict([{"mass": 4000, "island": "Dream"}, {"mass": None, "island": "Dream"}])
    cut = [{"mass": np.int64(4000), "island": np.str_("Dream")}, {"mass": missing, "island": "Dream"}]
    assert model.predict(cut).tolist() == plain.tolist()


def test_rows_that_do_not_meet_the_schema_are_refused(lake: EmbeddedLake) -> None:
    """Row and column are named, and what was wanted."""
    publish(lake, make())
    model = load_model("birds", lake=lake)
    with pytest.raises(RowsRejected, match="row 1, column island: found 'Torgersen', wanted one of"):
        model.predict([{"mass": 1.0, "island": "Dream"}, {"mass": 1.0, "island": "Torgersen"}])


def test_what_is_not_there_is_told_with_what_is(lake: EmbeddedLake) -> None:
    """Models, aliases and versions, and a name that is none."""
    publish(lake, make())
    with pytest.raises(ModelNotFound, match="no version of a model 'fish'"):
        load_model("fish", lake=lake)
    with pytest.raises(ModelNotFound, match="did you mean production"):
        load_model("birds@producton", lake=lake)
    with pytest.raises(ModelNotFound, match="no version 7"):
        load_model("birds/7", lake=lake)
    with pytest.raises(ModelNotFound, match="NAME@ALIAS"):
        parse_model("birds@a/1")


@pytest.mark.parametrize(
    "name", ["package.json", "estimator/estimator.skops", "profile.json", "card.md", "lineage.json"]
)
def test_a_changed_file_of_a_copied_folder_is_refused_by_name(
    lake: EmbeddedLake, tmp_path: Path, name: str
) -> None:
    """The folder says of each file what it was, so a copy is as good as the lake."""
    publish(lake, make(), beside={"card.md": b"# birds\n", "lineage.json": b"{}"})
    folder = copy(lake, 1, tmp_path / "copy")
    model = load_folder(folder)
    assert (model.name, model.version, model.digest) == ("birds", 1, load_model("birds", lake=lake).digest)
    with (folder / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(PackageRefused, match=f"{name} is not the file that was published"):
        load_model(folder)


def plant_call(file: Path) -> None:
    """Write `os.system` into a skops file, as an attribute of what it holds."""
    with zipfile.ZipFile(file) as source:
        members = {name: source.read(name) for name in source.namelist()}
    schema = json.loads(members["schema.json"])
    planted = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode"}
    schema["content"]["content"]["evil"] = planted
    with zipfile.ZipFile(file, "w") as target:
        for name, data in {**members, "schema.json": json.dumps(schema).encode()}.items():
            target.writestr(name, data)


def test_an_untrusted_type_is_refused_by_name(lake: EmbeddedLake, tmp_path: Path) -> None:
    """Whoever may write digests can still not have a type restored that is on no list."""
    publish(lake, make())
    folder = copy(lake, 1, tmp_path / "copy")
    (folder / "version.json").unlink()
    plant_call(folder / "estimator" / "estimator.skops")
    for manifest, inner in (("estimator/manifest.json", "estimator.skops"), ("package.json", None)):
        told = json.loads((folder / manifest).read_text())
        for file in told["files"] if inner is None else [inner]:
            told["files"][file] = digest_file((folder / manifest).parent / file)
        (folder / manifest).write_text(json.dumps(told))
    with pytest.raises(PackageRefused, match=r"types that are not restored from a lake: os\.system"):
        load_model(folder)


def test_the_onnx_engine_answers_without_the_estimator(lake: EmbeddedLake) -> None:
    """It is there where the package has it; where not, the error says how to get it."""
    pytest.importorskip("skl2onnx", reason="the extra onnx is not installed")
    publish(lake, make())
    publish(lake, make(2.0, OnnxExport()), "r2")
    with pytest.raises(StageError, match="birds version 1 has no ONNX: nobody asked for it"):
        load_model("birds/1", lake=lake, engine="onnx")
    native, onnx = (load_model("birds", lake=lake, engine=engine) for engine in ("native", "onnx"))
    asked = rows(seed=2)
    assert onnx.estimator is None
    assert onnx.predict(asked).tolist() == native.predict(asked).tolist()
    np.testing.assert_allclose(onnx.predict_proba(asked), native.predict_proba(asked), atol=1e-5)
    with pytest.raises(StageError, match="did you mean engine=onnx"):
        load_model("birds", lake=lake, engine="onx")


def test_loading_needs_neither_pipeline_nor_prefect_nor_wandb(lake: EmbeddedLake, tmp_path: Path) -> None:
    """A script in a project has the model by its name, and little else is imported."""
    publish(lake, make())
    script = (
        "import sys, headrace\n"
        "assert not {'numpy', 'hydra'} & set(sys.modules)\n"
        "model = headrace.load_model('birds@production')\n"
        "print(model.predict([{'mass': 5000.0, 'island': 'Dream'}])[0])\n"
        "print(sorted({'prefect', 'wandb', 'pandera', 'torch', 'headrace.assemble', 'headrace.run'}"
        " & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["Gentoo", "[]"]


def test_the_package_offers_its_loader_lazily() -> None:
    """`headrace.load_model` is the function, and an unknown name is an error."""
    assert headrace.load_model is load_model
    assert headrace.Model is Model
    with pytest.raises(AttributeError, match="no attribute 'load_modle'"):
        headrace.load_modle  # noqa: B018


def test_a_folder_that_is_no_package_is_told(tmp_path: Path) -> None:
    """Also one whose version.json says nothing."""
    with pytest.raises(PackageRefused, match="is no package"):
        load_model(tmp_path)
    (tmp_path / "version.json").write_text("{}")
    with pytest.raises(PackageRefused, match="says of no version"):
        load_model(tmp_path)
    (tmp_path / "version.json").write_text("{")
    with pytest.raises(PackageRefused, match=r"version\.json cannot be read"):
        load_model(tmp_path)
    (tmp_path / "version.json").write_text(
        json.dumps({"model": "m", "version": 1, "digest": "", "files": {"/etc/hosts": ""}})
    )
    with pytest.raises(PackageRefused, match="/etc/hosts, which lies outside"):
        load_model(tmp_path)
