"""The service is asked what its own OpenAPI document allows, and what it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.conftest import Service, listening

ROOT = Path(__file__).parents[2]
# JSON schema cannot say that a shape fits its data and a name a column: what it allows may be refused.
CONFIG = """
[checks]
ignored_auth.enabled = false

[[operations]]
include-path-regex = "/infer$"
checks.positive_data_acceptance.enabled = false
"""


@pytest.mark.slow
def test_the_document_is_kept(tmp_path: Path) -> None:
    """Whatever is asked has a documented answer: good rows are predicted, all else is refused."""
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    env = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.serving.fuzz_hooks",
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }
    program = str(Path(sys.executable).parent / "schemathesis")
    words = ["--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--no-color"]
    with listening(Service(token="secret").app) as port:
        url = f"http://127.0.0.1:{port}/openapi.json"
        asked = [
            program,
            "--config-file",
            str(config),
            "run",
            url,
            "-H",
            "Authorization: Bearer secret",
            *words,
        ]
        done = subprocess.run(asked, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "generated" in done.stdout
