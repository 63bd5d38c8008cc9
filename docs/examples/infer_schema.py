"""Print a Pandera schema that fits a CSV file: a first draft of conf/schema/<name>.yaml."""

from __future__ import annotations

import sys

import pandas as pd
import pandera.pandas as pa

if __name__ == "__main__":
    print(pa.infer_schema(pd.read_csv(sys.argv[1])).to_yaml())
