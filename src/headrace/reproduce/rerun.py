"""One run, from a recorded config: a script for a process of its own, in which the run's own code is found.

    python rerun.py SPEC.json

It uses nothing but what a headrace of any later or earlier version has: `prepare` and `run_job`. The spec
holds `config`, and `record`, the file to which the new run's record is written.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(spec_file: str) -> int:
    """Run, and hand the record over. Exit code 1 where the run did not succeed."""
    from omegaconf import OmegaConf

    from headrace.assemble import prepare
    from headrace.run import run_job
    from headrace.tell import LineDisplay

    spec = json.loads(Path(spec_file).read_text(encoding="utf-8"))
    cfg = OmegaConf.create(spec["config"])
    prepared = prepare(cfg, [], flow="reproduce")
    record = run_job(prepared.job, prepared.plan, LineDisplay(sys.stderr))
    target = Path(spec["record"])
    temporary = target.with_suffix(".part")
    temporary.write_text(prepared.job.records.to_text(record), encoding="utf-8")
    os.replace(temporary, target)
    return 0 if record.state == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
