"""What an author may have meant."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from millrace.contracts.document import Document, Path_


def suggestion(word: str, known: Collection[str]) -> str:
    """The nearest known word, else all of them."""
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else f"use one of {', '.join(sorted(known))}"


def refuse_other_keys(document: Document, at: Path_, known: Collection[str]) -> None:
    """Refuse what is written at that path and neither applied nor a mere description."""
    for key in document.keys(at):
        if key not in known:
            cause = f"Millrace does not apply the key {key!r}"
            document.refuse((*at, key), cause, suggestion(key, known))
