"""Which values of two columns differ, where NaN equals itself and null nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa


def unequal(actual: pa.Array | pa.ChunkedArray, expected: pa.Array | pa.ChunkedArray) -> Any:
    """Which values differ; the types may differ in their width."""
    left, right = _flat(actual), _flat(expected)
    if left.type != right.type:
        right = right.cast(left.type)
    if left.equals(right):
        return np.zeros(len(left), np.bool_)
    return differ(left.to_pylist(), right.to_pylist())


def _flat(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def differ(left: Iterable[Any], right: Iterable[Any]) -> Any:
    """Which pairs of Python values differ."""
    return np.array([not _same(*pair) for pair in zip(left, right, strict=True)], np.bool_)


def _same(left: Any, right: Any) -> bool:
    """Equal, where NaN equals itself."""
    if left is None or right is None:
        return left is right
    if left == right:
        return True
    if isinstance(left, float) and isinstance(right, float):
        return left != left and right != right  # noqa: PLR0124 - that is what NaN is
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return all(map(_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        return all(_same(left[name], right[name]) for name in left)
    return False
