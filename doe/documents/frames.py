"""Data frames and arrays as plain JSON, exact to the last digit, with missing numbers as null."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from doe.documents.shapes import ArrayKind
from doe.errors import DocumentError
from doe.runs import JSON

if TYPE_CHECKING:
    import pandas as pd

ColumnKind = Literal["number", "integer", "boolean", "text", "mixed"]
"""What a column holds: a number may be missing (null); mixed columns hold any scalar."""

COLUMN_KINDS: tuple[ColumnKind, ...] = get_args(ColumnKind)
MAX_WHOLE = 2**1023
FRAME_KEYS = ("columns", "kinds", "rows", "index")

_DTYPES: Mapping[ColumnKind, Any] = {
    "number": np.float64,
    "integer": np.int64,
    "boolean": np.bool_,
    "text": "str",
    "mixed": object,
}
_ARRAY_DTYPES: Mapping[ArrayKind, Any] = {
    "number": np.float64,
    "integer": np.int64,
    "boolean": np.bool_,
}


def frame_document(frame: "pd.DataFrame", place: str) -> dict[str, JSON]:
    """Return a data frame as its columns, their kinds, and its rows; null where a value is missing.

    The index is null when it counts the rows from zero.

    Raises:
        DocumentError: If a column has no name, an unknown kind, or an infinite number.
    """
    import pandas as pd

    names = list(frame.columns)
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise DocumentError(f"{place}: columns need different texts as names, got {names}.")
    series = [frame[name] for name in names]
    kinds = [_kind(column.dtype, f"{place}, column '{column.name}'") for column in series]
    values = [_cells(column.tolist(), f"{place}, column '{column.name}'") for column in series]
    index = frame.index
    plain = isinstance(index, pd.RangeIndex) and index.equals(pd.RangeIndex(len(frame)))
    return {
        "columns": names,
        "kinds": list(kinds),
        "rows": [list(row) for row in zip(*values, strict=True)] if names else [[]] * len(frame),
        "index": None if plain and index.name is None else _index_document(index, place),
    }


def frame_from_document(document: object, place: str, problems: list[str]) -> "pd.DataFrame | None":
    """Return the data frame; None, with the problems added to the list, when it does not fit."""
    import pandas as pd

    if not isinstance(document, Mapping) or set(document) != set(FRAME_KEYS):
        problems.append(f"{place}: expected a table with exactly {', '.join(FRAME_KEYS)}.")
        return None
    columns, kinds, rows = document["columns"], document["kinds"], document["rows"]
    found = len(problems)
    _check_texts(columns, f"{place}.columns", problems)
    _check_kinds(kinds, f"{place}.kinds", problems)
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        problems.append(f"{place}.rows: expected a list of rows.")
    if len(problems) > found:
        return None
    if len(kinds) != len(columns):
        problems.append(f"{place}: {len(columns)} columns, but {len(kinds)} kinds.")
        return None
    for number, row in enumerate(rows):
        _check_row(row, kinds, f"{place}.rows[{number}]", problems)
    index = _index_from_document(document["index"], f"{place}.index", problems)
    if len(problems) == found and index is not None and len(index) != len(rows):
        problems.append(f"{place}: {len(rows)} rows, but {len(index)} entries in the index.")
    if len(problems) > found:
        return None
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    made = {
        name: _column(values, kind, index if index is not None else pd.RangeIndex(len(rows)))
        for name, kind, values in zip(columns, kinds, cells, strict=False)
    }
    return pd.DataFrame(
        made, index=index if index is not None else pd.RangeIndex(len(rows)), columns=list(columns)
    )


def array_document(array: NDArray[Any], place: str) -> JSON:
    """Return an array as nested lists; NaN as null.

    Raises:
        DocumentError: If it holds something else than finite numbers, NaN, or true and false.
    """
    if array.dtype.kind not in "fiub" or array.ndim == 0:
        raise DocumentError(
            f"{place}: expected an array of numbers in one dimension or more, got {array.dtype} in "
            f"{array.ndim}."
        )
    if array.dtype.kind == "f" and np.isinf(array).any():
        raise DocumentError(f"{place}: an infinite number cannot be written; use NaN for missing.")
    nested: list[Any] = array.tolist()
    return _nan_as_null(nested)


def array_from_document(
    document: object, kind: ArrayKind, place: str, problems: list[str]
) -> NDArray[Any] | None:
    """Return the array; None, with the problem added to the list, when it does not fit."""
    if not isinstance(document, list | tuple) or not _are_all(document, kind):
        missing = " or null" if kind == "number" else ""
        problems.append(f"{place}: expected nested lists of {kind}s{missing}.")
        return None
    try:
        return np.array(document, dtype=_ARRAY_DTYPES[kind])
    except (ValueError, OverflowError):
        problems.append(f"{place}: expected nested lists of equal lengths.")
        return None


def _kind(dtype: Any, place: str) -> ColumnKind:
    import pandas as pd

    if isinstance(dtype, np.dtype):
        kinds: Mapping[str, ColumnKind] = {
            "f": "number",
            "i": "integer",
            "u": "integer",
            "b": "boolean",
            "O": "mixed",
        }
        if dtype.kind in kinds:
            return kinds[dtype.kind]
    if isinstance(dtype, pd.StringDtype):
        return "text"
    if isinstance(dtype, pd.CategoricalDtype):
        return _kind(dtype.categories.dtype, place)
    raise DocumentError(f"{place} has the type {dtype}: documents hold numbers and text.")


def _cells(values: Sequence[Any], place: str) -> list[JSON]:
    return [_cell(value, f"{place}, row {row}") for row, value in enumerate(values)]


def _cell(value: Any, place: str) -> JSON:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and math.isinf(value):
        raise DocumentError(f"{place}: {value} cannot be written; leave the cell missing.")
    if not isinstance(value, str | bool | int | float):
        raise DocumentError(f"{place}: expected a number or text, got {type(value).__name__}.")
    return value


def _index_document(index: "pd.Index[Any]", place: str) -> dict[str, JSON]:
    if index.nlevels > 1 or not (index.name is None or isinstance(index.name, str)):
        raise DocumentError(
            f"{place}: the index needs one level, with text or nothing as its name."
        )
    return {
        "name": index.name,
        "kind": _kind(index.dtype, f"{place}, index"),
        "values": _cells(index.tolist(), f"{place}, index"),
    }


def _index_from_document(
    document: object, place: str, problems: list[str]
) -> "pd.Index[Any] | None":
    import pandas as pd

    if document is None:
        return None
    if not isinstance(document, Mapping) or set(document) != {"name", "kind", "values"}:
        problems.append(f"{place}: expected null, or an object with name, kind and values.")
        return None
    name, kind, values = document["name"], document["kind"], document["values"]
    found = len(problems)
    if not (name is None or isinstance(name, str)):
        problems.append(f"{place}.name: expected text or null, got {name!r}.")
    _check_kinds([kind], f"{place}.kind", problems)
    if not isinstance(values, Sequence) or isinstance(values, str):
        problems.append(f"{place}.values: expected a list.")
    if len(problems) > found:
        return None
    _check_row(values, [kind] * len(values), f"{place}.values", problems)
    if len(problems) > found:
        return None
    made: pd.Index[Any] = pd.Index(_filled(values, kind), dtype=_DTYPES[kind], name=name)
    return made


def _column(values: Sequence[Any], kind: ColumnKind, index: "pd.Index[Any]") -> "pd.Series[Any]":
    import pandas as pd

    made: pd.Series[Any] = pd.Series(_filled(values, kind), index=index, dtype=_DTYPES[kind])
    return made


def _filled(values: Sequence[Any], kind: ColumnKind) -> list[Any]:
    if kind == "number":
        return [math.nan if value is None else float(value) for value in values]
    return list(values)


def _check_texts(values: object, place: str, problems: list[str]) -> None:
    if not isinstance(values, list | tuple) or not all(isinstance(v, str) for v in values):
        problems.append(f"{place}: expected a list of texts.")
    elif len(set(values)) < len(values):
        problems.append(f"{place}: a name occurs twice: {list(values)}.")


def _check_kinds(values: object, place: str, problems: list[str]) -> None:
    if not isinstance(values, list | tuple) or not all(v in COLUMN_KINDS for v in values):
        problems.append(f"{place}: expected {', '.join(COLUMN_KINDS)}, got {values!r}.")


def _check_row(row: object, kinds: Sequence[ColumnKind], place: str, problems: list[str]) -> None:
    if not isinstance(row, list | tuple) or len(row) != len(kinds):
        problems.append(f"{place}: expected a list of {len(kinds)}.")
        return
    for number, (value, kind) in enumerate(zip(row, kinds, strict=True)):
        if not _fits(value, kind):
            problems.append(f"{place}[{number}]: {value!r} does not fit a column of kind {kind}.")


def _fits(value: object, kind: ColumnKind) -> bool:
    is_number = is_integer = False
    if isinstance(value, float):
        is_number, is_integer = math.isfinite(value), value.is_integer() and abs(value) < 2**63
    elif isinstance(value, int) and not isinstance(value, bool):
        # Canonical JSON (RFC 8785) writes 1e20 as an integer, too large for a column of integers.
        is_number, is_integer = abs(value) < MAX_WHOLE, -(2**63) <= value < 2**63
    match kind:
        case "number":
            return is_number or value is None
        case "integer":
            return is_integer
        case "boolean":
            return isinstance(value, bool)
        case "text":
            return isinstance(value, str) or value is None
        case "mixed":
            return is_number or value is None or isinstance(value, str | bool)


def _are_all(values: object, kind: ArrayKind) -> bool:
    if isinstance(values, list | tuple):
        return all(_are_all(value, kind) for value in values)
    return _fits(values, kind)


def _nan_as_null(value: Any) -> JSON:
    if isinstance(value, list):
        return [_nan_as_null(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
