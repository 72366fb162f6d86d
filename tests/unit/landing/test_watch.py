"""Which contracts are landed: the applied ones, and from the batch on in which they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from millrace.apply.tables import raw_table
from millrace.contracts import load_contract
from millrace.errors import MillraceError
from millrace.landing.applied import ContractsChangedError, missing
from millrace.landing.watch import ContractsWatch

ROOT = Path(__file__).resolve().parents[3]
LOCATIONS = (ROOT / "contracts" / "locations.yaml").read_text()
NAME = "      - name: name\n"


class Grown:
    """A folder with one contract, and the table that was last made from it."""

    def __init__(self, catalog: Any, folder: Path) -> None:
        self.catalog, self.path = catalog, folder / "contracts" / "locations.yaml"
        self.path.parent.mkdir()
        self.path.write_text(LOCATIONS)
        self.location = f"file://{folder}/raw.locations"
        wanted = raw_table(load_contract(self.path))
        catalog.create_table("raw.locations", wanted.schema, location=self.location)
        self.watch = ContractsWatch(self.path.parent, catalog)

    def write(self, old: str, new: str) -> None:
        assert old in self.path.read_text()
        self.path.write_text(self.path.read_text().replace(old, new, 1))

    def apply(self) -> None:
        wanted = raw_table(load_contract(self.path))
        table = self.catalog.load_table("raw.locations")
        difference = wanted.difference(table.schema())
        with table.update_schema() as update:
            for former, name in difference.renamed:
                update.rename_column(former, name)
        with self.catalog.load_table("raw.locations").update_schema() as update:
            update.union_by_name(wanted.schema)

    def lacks(self) -> str:
        return missing(self.catalog.load_table("raw.locations").schema(), load_contract(self.path))


@pytest.fixture
def grown(lake_catalog: Any, tmp_path: Path) -> Grown:
    return Grown(lake_catalog, tmp_path)


ADDED = "      - {name: manager, logicalType: string}\n"
RENAMED = "      - name: title\n        customProperties: [{property: aliases, value: [name]}]\n"


@pytest.mark.parametrize(
    ("new", "lacks"),
    [(ADDED + NAME, "+ manager"), (RENAMED, "name is renamed to title")],
    ids=["added", "renamed"],
)
def test_a_batch_is_not_landed_by_a_contract_that_another_has_replaced(
    grown: Grown, new: str, lacks: str
) -> None:
    """From the moment on in which the table has the column, and not a batch later."""
    grown.watch.load()
    grown.write(NAME, new)
    assert grown.lacks() == lacks
    grown.watch.require_current()  # not applied yet: the old one goes on
    grown.apply()
    with pytest.raises(ContractsChangedError):
        grown.watch.require_current()
    (contract,) = grown.watch.load().values()
    assert contract == load_contract(grown.path)
    grown.watch.require_current()


def test_a_stream_that_begins_again_goes_on_while_somebody_edits(grown: Grown) -> None:
    applied = grown.watch.load()
    for old, new in ((NAME, ADDED + NAME), ("kind: DataContract", "kind: [")):
        grown.write(old, new)
        assert grown.watch.load() == applied
    assert ContractsWatch(grown.path.parent, grown.catalog)._running == {}


def test_a_stream_does_not_begin_with_a_contract_that_is_not_applied(grown: Grown) -> None:
    grown.write(NAME, ADDED + NAME)
    with pytest.raises(MillraceError, match="manager") as refused:
        grown.watch.load()
    assert refused.value.remedy == "make apply"


def test_a_changed_comment_is_nothing_to_wait_for(grown: Grown) -> None:
    grown.watch.load()
    grown.write("version: 1.0.0", "version: 1.0.1")
    with pytest.raises(ContractsChangedError):
        grown.watch.require_current()
    grown.write("version: 1.0.1", "version: 1.0.0")
    grown.watch.require_current()
