"""Reads `docker-compose.yml`, the only list of services.

Just enough of the Compose specification for our own file: `${NAME:-default}` interpolation, merge
keys (by YAML), profiles. What it does not know it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from millrace.errors import MillraceError

_RESTORE = "git checkout docker-compose.yml"
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?::-([^}]*))?\})")


def interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    """Replace `${NAME}`, `${NAME:-default}` and `$$` in every string of a document."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _replacement(match, variables), value)
    if isinstance(value, list):
        return [interpolate(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: interpolate(item, variables) for key, item in value.items()}
    return value


def _replacement(match: re.Match[str], variables: Mapping[str, str]) -> str:
    dollar, name, default = match.groups()
    if dollar:
        return "$"
    return variables.get(name) or default or ""


def read_compose(path: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """The interpolated document.

    Raises:
        MillraceError: the file is missing or is not a compose file.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise MillraceError(str(path), f"can not be read: {error}", _RESTORE) from error
    if not isinstance(document, dict) or not isinstance(document.get("services"), dict):
        raise MillraceError(str(path), "has no services", _RESTORE)
    interpolated = interpolate(document, variables)
    assert isinstance(interpolated, dict)
    return interpolated


def active_services(
    document: Mapping[str, Any], profiles: Collection[str] = ()
) -> dict[str, dict[str, Any]]:
    """The services without a profile, and those of the given profiles."""
    return {
        name: service
        for name, service in document["services"].items()
        if not service.get("profiles") or set(service["profiles"]) & set(profiles)
    }


def is_one_shot(service: Mapping[str, Any]) -> bool:
    """Whether a service ends by itself when its work is done."""
    restart, _, _ = service.get("restart", "no").partition(":")
    return restart in ("no", "on-failure")
