"""Which contracts are landed: the applied ones, and from the batch on in which they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from millrace.apply.tables import raw_table
from millrace.contracts import load_contract
from millrace.landing.applied import ContractsChangedError, NoneAppliedError, missing
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
        self.folder = folder
        self.create(self.path)
        self.watch = ContractsWatch(self.path.parent, catalog)

    def create(self, path: Path) -> None:
        wanted = raw_table(load_contract(path))
        location = f"file://{self.folder}/{wanted.identifier}"
        self.catalog.create_table(wanted.identifier, wanted.schema, location=location)

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
        assert grown.watch.left_out
        grown.watch.require_current()


def test_a_dataset_whose_table_no_contract_fits_is_left_out_and_the_others_land(
    grown: Grown, lake_catalog: Any
) -> None:
    """Edited, applied, and edited again before the stream had looked."""
    other = grown.path.with_name("readings.yaml")
    other.write_text(LOCATIONS.replace("locations", "readings"))
    grown.create(other)
    assert set(grown.watch.load()) == {"locations", "readings"}
    grown.write(NAME, ADDED + NAME)
    grown.apply()
    applied = load_contract(grown.path)
    grown.write(ADDED, ADDED + ADDED.replace("manager", "deputy"))
    with pytest.raises(ContractsChangedError):
        grown.watch.require_current()
    assert set(grown.watch.load()) == {"readings"}
    assert "+ deputy" in grown.watch.left_out
    grown.watch.require_current()
    grown.apply()
    with pytest.raises(ContractsChangedError):
        grown.watch.require_current()
    landed = grown.watch.load()
    assert landed["locations"] == load_contract(grown.path) != applied
    assert not grown.watch.left_out


def test_a_stream_does_not_begin_where_nothing_is_applied_but_waits(grown: Grown) -> None:
    grown.write(NAME, ADDED + NAME)
    with pytest.raises(NoneAppliedError, match="manager") as refused:
        grown.watch.load()
    assert refused.value.transient
    assert refused.value.remedy == "make apply"


def test_a_changed_comment_is_nothing_to_wait_for(grown: Grown) -> None:
    grown.watch.load()
    grown.write("version: 1.0.0", "version: 1.0.1")
    with pytest.raises(ContractsChangedError):
        grown.watch.require_current()
    grown.write("version: 1.0.1", "version: 1.0.0")
    grown.watch.require_current()
