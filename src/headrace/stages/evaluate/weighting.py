"""How much each test row counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.errors import StageError
from headrace.stages.evaluate.slices import require_column, require_rows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

WHERE = "stages.evaluate.params.weights"


def read_weights(rows: pd.DataFrame | None, name: str | None, n_rows: int) -> np.ndarray:
    """Return the weight of each row, all one where no column is named.

    Raises:
        StageError: The column is not there, not numeric, misses values, or has negative ones; or
            all rows weigh nothing.
    """
    import numpy as np
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if name is None:
        return np.ones(n_rows)
    column = require_column(require_rows(rows, WHERE), name, WHERE)
    if not is_numeric_dtype(column.dtype) or is_bool_dtype(column.dtype):
        raise StageError(f"{WHERE}: column {name} is {column.dtype}; weights are numbers from 0 up")
    weights: np.ndarray = column.to_numpy(dtype=float, na_value=np.nan)
    bad = ~np.isfinite(weights) | (weights < 0)
    if bad.any():
        first = int(bad.argmax())
        raise StageError(
            f"{WHERE}: column {name} has {int(bad.sum()):,} values that are missing, infinite or negative"
            f" (first in test row {first}: {weights[first]}); let the schema reject them, such as"
            " `greater_than_or_equal_to: 0`"
        )
    if not weights.any():
        raise StageError(f"{WHERE}: column {name} is 0 in all {n_rows:,} test rows; nothing would count")
    return weights
