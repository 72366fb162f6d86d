"""A ledger that was edited or damaged says so, and nothing is concluded from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from millrace.verify.errors import VerifyError

ORPHAN = '{"o":500,"s":"acknowledged","p":0,"f":1}\n'


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: ORPHAN + text,
        lambda text: text + text.splitlines()[-1] + "\n",
        lambda text: text + '{"i":7000}\n',
        lambda text: text + '["i"]\n',
        lambda text: text + "no line\n",
    ],
    ids=["outcome without intent", "outcome twice", "without topic", "a list", "no JSON"],
)
def test_a_damaged_file_is_named_with_what_to_do(world: Any, damage: Callable[[str], str]) -> None:
    (file,) = world.ledger_folder.glob("*.jsonl")
    file.write_text(damage(file.read_text()))
    with pytest.raises(VerifyError, match="edited or damaged: restore the file") as refused:
        world.verify()
    assert str(file) in refused.value.thing
