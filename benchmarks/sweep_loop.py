"""The plain script `bare.py` in a Python loop over C: what a sweep's maths takes in one process.

Usage: python benchmarks/sweep_loop.py OUTPUT_FOLDER POINTS

Prints the seconds of the loop itself, without the imports before it, as the last line.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import bare

if __name__ == "__main__":
    folder, points = Path(sys.argv[1]), int(sys.argv[2])
    start = time.perf_counter()
    for number in range(points):
        bare.main(folder / str(number), 0.5 + number / 100)
    print(time.perf_counter() - start)
