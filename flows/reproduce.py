"""Reproduce: a past run once more, every artifact compared.

    python -m flows.reproduce run=20261124-093545-2694820
    python -m flows.reproduce run=latest tolerance=1e-9

The code comes from git (a worktree, with the changes that the run had), config and data from the record.
A secret, which no record holds, is given by its key: 'stages.ingest.params.url=${oc.env:DATABASE_URL}'.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from headrace import entry
from headrace.commands.run_names import find_run
from headrace.errors import WrongWord, did_you_mean
from headrace.reproduce import Outcome, Request, Verdict, reproduce

KNOWN = ("run", "tolerance", "headrace_dir")
DIFFERENT = 1


def parse(words: Sequence[str]) -> Request:
    """Read `run=…`, `tolerance=…`, `headrace_dir=…` and the secrets of the run. Raises `WrongWord`."""
    given: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        # A dot: the key of a config, of which `reproduce` knows whether it is a secret of the run.
        if not equals or (key not in KNOWN and "." not in key):
            raise WrongWord(f"{word!r} is no word here; {did_you_mean(key, KNOWN, '{}=…')}")
        given[key] = value
    if not given.get("run"):
        raise WrongWord("which run? type: python -m flows.reproduce run=<id>, or run=latest")
    root = Path(given.get("headrace_dir") or ".headrace")
    return Request(
        root=root,
        record=find_run(root, given["run"]),
        tolerance=_tolerance(given.get("tolerance", "0")),
        given={key: value for key, value in given.items() if key not in KNOWN},
    )


def _tolerance(text: str) -> float:
    try:
        tolerance = float(text)
    except ValueError:
        tolerance = math.nan
    if not 0 <= tolerance < math.inf:
        raise WrongWord(f"tolerance={text} is no number from 0 on; type: tolerance=1e-9")
    return tolerance


def run_reproduce(request: Request) -> Outcome:
    """Reproduce a run, keep the outcome beside its record, and tell."""
    outcome = reproduce(request, lambda line: print(line, file=sys.stderr))
    _keep(request, outcome)
    _tell(request, outcome)
    return outcome


def _keep(request: Request, outcome: Outcome) -> None:
    document = {
        "run": request.record.id,
        "reproduced": outcome.reproduced,
        "tolerance": request.tolerance,
        "differences": outcome.differences,
        "error": outcome.error,
        "origin": outcome.origin,
        "causes": outcome.causes,
        "artifacts": [verdict.to_json() for verdict in outcome.verdicts],
    }
    folder = request.root / "runs" / request.record.id
    file = folder / f"reproduced-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    temporary = file.with_suffix(".part")
    temporary.write_text(json.dumps(document, indent=1), encoding="utf-8")
    os.replace(temporary, file)


def _tell(request: Request, outcome: Outcome) -> None:
    rows = [("stage", "artifact", "verdict")]
    rows += [(verdict.stage, verdict.artifact, _say(verdict)) for verdict in outcome.verdicts]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    print()
    for stage, artifact, said in rows:
        print(f"{stage:<{widths[0]}}  {artifact:<{widths[1]}}  {said}")
    print()
    print(_conclusion(request, outcome))


def _say(verdict: Verdict) -> str:
    far = f"at most {verdict.farthest:.3g} apart" if verdict.farthest else ""
    detail = ", ".join(text for text in (verdict.detail, far) if text)
    return f"{verdict.kind}  {detail}".rstrip()


def _conclusion(request: Request, outcome: Outcome) -> str:
    run = f"run {request.record.id}"
    if outcome.reproduced:
        same = sum(verdict.kind == "identical" for verdict in outcome.verdicts)
        rest = len(outcome.verdicts) - same
        also = f", {rest} equal within {request.tolerance:g}" if rest else ""
        return f"{run} is reproduced: {same} artifacts identical to the bit{also}"
    if outcome.error is not None:
        first = f"{run} is not reproduced, it {outcome.error}"
        causes = outcome.causes or ["nothing that is recorded differs"]
    else:
        first = f"{run} is not reproduced: {outcome.origin} is the first stage that differs"
        causes = outcome.causes or ["nothing that is recorded differs: the stage itself is not deterministic"]
    return "\n  ".join([first, *causes])


def main() -> None:
    """Reproduce from the shell: 0 where all is the same, 1 where something differs or is missing."""

    def action() -> int:
        return 0 if run_reproduce(parse(sys.argv[1:])).reproduced else DIFFERENT

    entry.run(action)


if __name__ == "__main__":
    main()
