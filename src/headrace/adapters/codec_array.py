"""Arrays as npy files, without pickle in either direction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrace.errors import StageError


class ArrayCodec:
    """Stores a `numpy.ndarray` of any shape and any dtype but object."""

    name = "npy"
    suffix = ".npy"

    def accepts(self, value: object) -> bool:
        return any((cls.__module__, cls.__qualname__) == ("numpy", "ndarray") for cls in type(value).__mro__)

    def write(self, value: Any, path: Path) -> None:
        import numpy as np

        if value.dtype.hasobject:
            raise StageError(
                f"an array of shape {value.shape} and dtype {value.dtype} holds Python objects.\n"
                "      Return .astype(str) or a number type, or a pandas DataFrame."
            )
        if isinstance(value, np.ma.MaskedArray):
            raise StageError(
                f"a masked array of shape {value.shape} would lose its mask.\n"
                "      Return .filled(numpy.nan), or the data and the mask as two outputs."
            )
        with path.open("wb") as file:  # np.save on a path would append a suffix of its own
            np.save(file, np.asarray(value), allow_pickle=False)

    def read(self, path: Path, wanted: str) -> Any:
        if wanted == "pathlib.Path":
            return path
        if wanted not in ("", "numpy.ndarray"):
            raise StageError(
                f"{path.name} holds an array, which cannot be given as {wanted}.\n"
                "      Annotate the argument with numpy.ndarray or pathlib.Path."
            )
        import numpy as np

        try:
            with path.open("rb") as file:
                return np.load(file, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise StageError(f"{path.name} is no readable npy file: {error}") from error
