"""Great Expectations, imported without telemetry and without its own deprecation warnings."""

from __future__ import annotations

import importlib
import os
import warnings
from typing import Any

# Read when the library is imported, so it can be set nowhere later.
os.environ["GX_ANALYTICS_ENABLED"] = "false"

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    # By name: the library does not say in its types what it exports.
    gx: Any = importlib.import_module("great_expectations")
    gxe: Any = importlib.import_module("great_expectations.expectations")

__all__ = ["gx", "gxe"]
