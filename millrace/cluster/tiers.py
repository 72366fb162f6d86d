"""Sizes: what a tier gives to each service, read from `config/tiers.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path


def tier_environment(config: Path, tier: str, own: Mapping[str, str]) -> dict[str, str]:
    """`MILLRACE_<SERVICE>__<KEY>` of every size of a tier; a variable already set wins."""
    tiers = tomllib.loads((config / "tiers.toml").read_text())
    sizes = {
        f"MILLRACE_{service}__{key}".upper(): str(value)
        for service, keys in tiers[tier].items()
        for key, value in keys.items()
    }
    return {name: own.get(name) or value for name, value in sizes.items()}
