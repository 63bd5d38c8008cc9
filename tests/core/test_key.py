"""The key of a stage: whatever its outputs depend on changes it, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from headrace.core.code import CodeIndex
from headrace.core.key import Key, make_key
from headrace.core.reason import explain_difference, shorten
from headrace.core.signature import find_signature
from headrace.core.spec import StageSpec
from headrace.errors import ConfigError

Write = Callable[[Mapping[str, str]], None]

FILES = {
    "keyed.py": """
        import keyed_helper

        def fit(table, model=None, rate=1.0, context=None):
            return {"model": model}

        def draw_nothing(table, model=None, rate=1.0):
            return {"model": model}
        """,
    "keyed_helper.py": "x = 1\n",
    "keyed_apart.py": "def build(depth): ...\n",
}
SPEC = StageSpec(
    name="train",
    call="keyed.fit",
    params={"rate": 1.0},
    inputs={"table": "train"},
    outputs={"model": "estimator"},
)
INPUTS = {"table": "sha256:a"}


@pytest.fixture(autouse=True)
def _files(write: Write) -> None:
    write(FILES)


def key(spec: StageSpec = SPEC, inputs: Mapping[str, str] = INPUTS, seed: int = 1) -> Key:
    index = CodeIndex(lambda kind, file, compute: compute())
    return make_key(index, spec, spec.params, find_signature(index, spec.call), inputs, seed)


def difference(now: Key, before: Key) -> str:
    assert now.value != before.value
    return shorten(explain_difference(now.parts, before.parts))


def test_the_same_stage_has_the_same_key() -> None:
    """Names of stages and artifacts, retries and time limits are not part of it."""
    other = replace(
        SPEC, name="other", outputs={"model": "m2"}, inputs={"table": "t2"}, retries=3, timeout_seconds=9.0
    )
    assert key(other) == key()
    assert explain_difference(key(other).parts, key().parts) == []


def test_another_function_makes_another_key() -> None:
    """Two functions of one module differ by name."""
    other = replace(SPEC, call="keyed.draw_nothing")
    assert difference(key(other), key()) == "call keyed.fit → keyed.draw_nothing; seed 1 → nothing"


def test_a_changed_helper_makes_another_key(write: Write) -> None:
    """The module that changed is named."""
    before = key()
    write({"keyed_helper.py": "x = 2\n"})
    assert difference(key(), before) == "code of keyed_helper changed"


def test_a_changed_param_makes_another_key() -> None:
    """Its path, old and new value are told; an integer is not a float."""
    assert difference(key(replace(SPEC, params={"rate": 2.5})), key()) == "params.rate 1.0 → 2.5"
    assert difference(key(replace(SPEC, params={"rate": 1})), key()) == "params.rate 1.0 → 1"
    assert difference(key(replace(SPEC, params={})), key()) == "params.rate 1.0 → nothing"


def test_a_changed_input_makes_another_key() -> None:
    """The argument is told, not a digest that nobody knows by heart."""
    assert difference(key(inputs={"table": "sha256:b"}), key()) == "input table changed"


def test_the_seed_counts_only_for_who_can_draw() -> None:
    """A stage without a context cannot see the seed, so it is shared between seeds."""
    assert difference(key(seed=2), key(seed=1)) == "seed 1 → 2"
    quiet = replace(SPEC, call="keyed.draw_nothing")
    assert key(quiet, seed=2) == key(quiet, seed=1)


def test_what_is_stored_makes_another_key() -> None:
    """An output that was not asked for before must be made."""
    other = replace(SPEC, outputs={"model": "estimator", "extra": "x"})
    assert difference(key(other), key()) == "returns ['model'] → ['extra', 'model']"


def test_a_model_counts_by_class_params_and_package() -> None:
    """A node with `_target_` adds the code of a first-party class and the version of another one."""
    own = replace(SPEC, params={"model": {"_target_": "keyed_apart.build", "depth": 3}})
    assert "keyed_apart" in key(own).parts["code"]
    library = replace(SPEC, params={"model": {"_target_": "sklearn.svm.SVC", "C": 3}})
    assert "scikit-learn" in key(library).parts["packages"]
    changed = replace(SPEC, params={"model": {"_target_": "sklearn.svm.SVC", "C": 4}})
    assert difference(key(changed), key(library)) == "params.model.C 3 → 4"


def test_a_module_named_in_depends_on_counts(write: Write) -> None:
    """What imports cannot tell, the config can."""
    spec = replace(SPEC, depends_on=("keyed_apart",))
    before = key(spec)
    write({"keyed_apart.py": "def build(depth):\n    return depth\n"})
    assert difference(key(spec), before) == "code of keyed_apart changed"


def test_the_version_of_a_package_counts() -> None:
    """An upgrade is told by name and versions."""
    now = key().parts
    before = {**now, "packages": {**now["packages"], "python": "2.7", "numpy": "1.0"}}
    python = now["packages"]["python"]
    wanted = ["numpy 1.0 → nothing", f"python 2.7 → {python}"]
    assert explain_difference(now, before) == wanted


def test_a_param_without_a_digest_is_a_config_error() -> None:
    """The stage, the argument and its type are named; nothing runs uncached in silence."""
    spec: Any = replace(SPEC, params={"rate": [1, object()]})
    with pytest.raises(ConfigError, match=r"stages\.train: params\.rate\[1\] is a object"):
        key(spec)


def test_many_differences_are_cut_short() -> None:
    """Three are named, and the rest is counted; a long value is cut."""
    before = key(replace(SPEC, params=dict.fromkeys("abcde", 1)))
    now = key(replace(SPEC, params=dict.fromkeys("abcde", "x" * 50)))
    short = "x" * 37 + "…"
    named = "; ".join(f"params.{name} 1 → {short}" for name in "abc")
    assert difference(now, before) == f"{named}; and 2 more"
