"""How fast the lakes are, as figures and as ratios.

    python benchmarks/lake.py [--quick] [--only disk,embedded,stand-in,slow,live] [--folder DIR]

The same measurements run on the embedded lake, on lakeFS's adapter against a stand-in for its server (a
process of its own), and against a live server where HEADRACE_TEST_LAKEFS_ENDPOINT is set, with
HEADRACE_TEST_LAKEFS_ACCESS_KEY_ID and HEADRACE_TEST_LAKEFS_SECRET_ACCESS_KEY. Every figure stands beside
what it is to be measured against on the same machine at the same time: bare files written the same way, the
same bytes by bare HTTP requests, the same operation on fewer files. `FAIL` marks a missed limit, and the
exit code is then 1.

What the stand-in costs is not what lakeFS costs: the figures show what the adapter adds, and how it grows.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from lakes import embedded_lake, every_lake
from lakes.figures import Figures
from lakes.targets import embedded, live, stand_in

PARTS = ("disk", "embedded", "stand-in", "slow", "live")
UPLOAD_LATENCY_SECONDS = 0.02
QUICK = every_lake.Sizes(few=200, many=1_000, turns=3, large_bytes=100_000_000)


def run_part(part: str, folder: Path, quick: bool, figures: Figures) -> None:
    sizes = QUICK if quick else every_lake.Sizes()
    if part == "disk":
        embedded_lake.measure(folder, sizes.many, 2 * sizes.many, sizes.large_bytes / 1e9, figures)
    elif part == "embedded":
        every_lake.measure(embedded(folder), folder, sizes, figures)
    elif part == "stand-in":
        with stand_in(folder) as target:
            every_lake.measure(target, folder, sizes, figures)
    elif part == "slow":
        with stand_in(folder, UPLOAD_LATENCY_SECONDS) as target:
            figures.begin(f"LakeFSStore on the stand-in, {1000 * UPLOAD_LATENCY_SECONDS:g} ms away")
            every_lake.measure_concurrency(target, folder, 50 if quick else 200, figures)
    else:
        with live(folder) as server:
            if server is None:
                print("\nno live server: HEADRACE_TEST_LAKEFS_ENDPOINT is not set", flush=True)
            else:
                every_lake.measure(server, folder, sizes, figures)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller files")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--folder", type=Path, default=None, help="where to work; a local disk")
    options = parser.parse_args()
    parts = options.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"--only {','.join(sorted(unknown))}: there are {','.join(PARTS)}")
    figures = Figures()
    for part in parts:
        folder = Path(tempfile.mkdtemp(prefix="headrace-lake-", dir=options.folder))
        try:
            run_part(part, folder, options.quick, figures)
        finally:
            shutil.rmtree(folder)
    if figures.missed:
        print(f"\nmissed: {'; '.join(figures.missed)}", file=sys.stderr)
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())
