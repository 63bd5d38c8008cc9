"""The words of a schema in Pandera's serialisation format (what its `to_yaml` writes).

Kept here so that a typo ends before anything runs, without importing Pandera.
"""

from __future__ import annotations

# `model` is headrace's own: the dotted path of a DataFrameModel.
SCHEMA_KEYS = tuple(
    "schema_type version api dataframe_library columns checks index multiindex dtype coerce strict name "
    "ordered unique report_duplicates unique_column_names add_missing_columns title description "
    "drop_invalid_rows metadata model".split()
)
COLUMN_KEYS = tuple(
    "title description dtype nullable checks name unique coerce required regex default report_duplicates "
    "drop_invalid_rows metadata".split()
)
# The checks of Pandera that a table can be held to; each may stand beside the keys, or under `checks`.
CHECK_NAMES = tuple(
    "equal_to not_equal_to greater_than greater_than_or_equal_to less_than less_than_or_equal_to in_range "
    "isin notin str_matches str_contains str_startswith str_endswith str_length unique_values_eq "
    "one_sample_ttest two_sample_ttest".split()
)
# Types without what stands in brackets: `datetime64` is `datetime64[ms, UTC]` too. Not all that there
# are, for any library may bring its own: what is near one of these and is none of them is a typo.
DTYPES = tuple(
    "bool boolean int int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 "
    "Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 float float16 float32 float64 Float32 Float64 "
    "double single half complex complex64 complex128 str string object bytes binary large_string "
    "large_binary category categorical date date32 time time32 time64 timestamp duration datetime "
    "datetime64 timedelta timedelta64 decimal decimal128 period interval Sparse list dict tuple "
    "intp uintp intc uintc long ulong longlong ulonglong short ushort byte ubyte bool_ int_ object_ str_ "
    "float128 float96 longdouble complex256 clongdouble csingle cdouble halffloat date64 null "
    "i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split()
)
