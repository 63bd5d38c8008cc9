"""What a column of a signature is as an Arrow column: in the log of predictions, and in scored tables."""

from __future__ import annotations

import pyarrow as pa

# Pandera's own names that pandas does not know.
_PANDERA_NAMES = {"datetime": "datetime64[ns]", "datetime64": "datetime64[ns]"}


def arrow_type(dtype: str) -> pa.DataType:
    """Return the Arrow type of a pandas dtype; text where a column may hold values of several."""
    import numpy as np
    import pandas as pd

    if dtype == "date":
        return pa.date32()
    try:
        found = pd.api.types.pandas_dtype(_PANDERA_NAMES.get(dtype, dtype))
    except TypeError:
        return pa.string()
    if isinstance(found, pd.DatetimeTZDtype):
        return pa.timestamp(found.unit, str(found.tz))
    plain = found if isinstance(found, np.dtype) else getattr(found, "numpy_dtype", None)
    if plain is None or plain.kind not in "iufbM":
        return pa.string()
    return pa.from_numpy_dtype(plain)
