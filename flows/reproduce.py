"""Reproduce: a past run once more, every artifact compared.

    python -m flows.reproduce run=20261124-093545-2694820
    python -m flows.reproduce run=latest tolerance=1e-9

The code comes from git (a worktree, with the changes that the run had), config and data from the record.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from headrace import entry
from headrace.commands.run_names import find_run
from headrace.errors import WrongWord, did_you_mean
from headrace.reproduce import Outcome, Request, reproduce

KNOWN = ("run", "tolerance", "headrace_dir")
DIFFERENT = 1


def parse(words: Sequence[str]) -> Request:
    """Read `run=…`, `tolerance=…` and `headrace_dir=…`. Raises `WrongWord`."""
    given: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in KNOWN:
            raise WrongWord(f"{word!r} is no word here; {did_you_mean(key, KNOWN, '{}=…')}")
        given[key] = value
    if "run" not in given:
        raise WrongWord("which run? type: python -m flows.reproduce run=<id>, or run=latest")
    root = Path(given.get("headrace_dir", ".headrace"))
    try:
        tolerance = float(given.get("tolerance", "0"))
    except ValueError:
        raise WrongWord(f"tolerance={given['tolerance']} is no number; type: tolerance=1e-9") from None
    return Request(root=root, record=find_run(root, given["run"]), tolerance=tolerance)


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
    stage = max([len(verdict.stage) for verdict in outcome.verdicts] + [5])
    name = max([len(verdict.artifact) for verdict in outcome.verdicts] + [8])
    print(f"\n{'stage':<{stage}}  {'artifact':<{name}}  verdict")
    for verdict in outcome.verdicts:
        far = f", at most {verdict.farthest:.3g} apart" if verdict.farthest else ""
        more = f"  {verdict.detail}{far}" if verdict.kind in ("equal", "different") else ""
        print(f"{verdict.stage:<{stage}}  {verdict.artifact:<{name}}  {verdict.kind}{more}".rstrip())
    same = sum(verdict.kind == "identical" for verdict in outcome.verdicts)
    print()
    if outcome.reproduced:
        rest = len(outcome.verdicts) - same
        also = f", {rest} equal within {request.tolerance:g}" if rest else ""
        print(f"run {request.record.id} is reproduced: {same} artifacts identical to the bit{also}")
        return
    print(f"run {request.record.id} is not reproduced: {outcome.origin} is the first stage that differs")
    causes = outcome.causes or ["nothing that is recorded differs: the stage itself is not deterministic"]
    for cause in causes:
        print(f"  {cause}")


def main() -> None:
    """Reproduce from the shell: 0 where all is the same, 1 where something differs or is missing."""

    def action() -> int:
        return 0 if run_reproduce(parse(sys.argv[1:])).reproduced else DIFFERENT

    entry.run(action)


if __name__ == "__main__":
    main()
