"""A stand-in for a lakeFS server in a process of its own, so that its work is not counted.

Prints its endpoint, and ends with its standard input.

    python benchmarks/lakes/stand_in.py FOLDER [SECONDS_BEFORE_EACH_UPLOAD]
"""

from __future__ import annotations

import sys
from pathlib import Path

from headrace.testing.lakefs import Fault, StandInServer

ALWAYS = 1 << 30


def main() -> None:
    # Without the API's description: checking each request against it takes longer than serving it.
    with StandInServer(Path(sys.argv[1])) as server:
        if len(sys.argv) > 2:
            server.fail_next(Fault("latency", "uploadObject", times=ALWAYS, seconds=float(sys.argv[2])))
        print(server.endpoint, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
