"""Great Expectations, imported without its own deprecation warnings.

The pinned version sends nothing anywhere; a version that does must be told not to, here.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    # By name: the library does not say in its types what it exports.
    gx: Any = importlib.import_module("great_expectations")
    gxe: Any = importlib.import_module("great_expectations.expectations")

__all__ = ["gx", "gxe"]
