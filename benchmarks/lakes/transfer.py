"""One large file into a lake and out of it again, in a process whose memory can be told.

    python benchmarks/lakes/transfer.py FILE BRANCH ARGUMENTS_AS_JSON

Prints one JSON object. A server's keys are in the environment.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lakes.figures import seconds
from lakes.targets import open_store


def peak_megabytes() -> float:
    """Return the most memory that this program had, in 10^6 bytes.

    Not `ru_maxrss`: on Linux it begins with what the parent had when it started this one.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("/proc/self/status has no VmHWM")


def main() -> None:
    file, branch, arguments = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
    lake = open_store(arguments)
    lake.create_branch(branch, "main")
    lake.put(branch, "small.bin", b"1")  # whatever is imported late is there now
    lake.local_path(branch, "small.bin")
    before = peak_megabytes()
    up = seconds(lambda: lake.put(branch, "large.bin", file))
    commit = lake.commit(branch, "one large file").id
    down = seconds(lambda: lake.local_path(commit, "large.bin"))
    print(json.dumps({"up": up, "down": down, "before": before, "peak": peak_megabytes()}))


if __name__ == "__main__":
    main()
