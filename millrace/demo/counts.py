"""What went in and what came out, counted at both ends.

The producers' ledger says what the broker acknowledged; Trino says what the tables hold. The law:
every acknowledged record is in raw once, or in quarantine once. A record whose outcome the
producer never learnt (`unknown`) may be in either, so it widens the bound and is named.
"""

from __future__ import annotations

from dataclasses import dataclass

from trino.dbapi import connect

from millrace.contracts import load_contracts
from millrace.errors import MillraceError
from millrace.lake.offsets import POSITION_COLUMNS
from millrace.settings import Settings
from millrace_producers.ledger import summarise

POSITION = ", ".join(POSITION_COLUMNS)
PROCESSED = ("customers", "products", "locations", "orders", "order_lines")
MARTS = (
    "fact_sales",
    "dim_customer",
    "dim_product",
    "dim_date",
    "dim_location",
    "orders",
    "customers",
    "products",
    "daily_revenue",
    "customer_cohorts",
)


@dataclass(frozen=True)
class DatasetCounts:
    """Records of one dataset, by where they were seen.

    `distinct` counts the log positions of raw and quarantine together, so that a record that was
    landed twice, quarantined twice, or both landed and quarantined shows.
    """

    dataset: str
    acknowledged: int
    refused: int
    unknown: int
    landed: int
    distinct: int
    quarantined: int

    @property
    def law_holds(self) -> bool:
        """Whether each acknowledged record was landed or quarantined, and none twice."""
        seen = self.landed + self.quarantined
        none_twice = seen == self.distinct
        return none_twice and self.acknowledged <= seen <= self.acknowledged + self.unknown


class Lake:
    """Counts by SQL through Trino, as a user would ask."""

    def __init__(self, settings: Settings) -> None:
        self._connection = connect(  # type: ignore[no-untyped-call]
            host=settings.trino.host, port=settings.trino.port, user="millrace", catalog="iceberg"
        )

    def rows(self, statement: str) -> list[list[object]]:
        """The rows of one query.

        Raises:
            MillraceError: Trino does not answer or refuses the query.
        """
        try:
            cursor = self._connection.cursor()
            cursor.execute(statement)
            return [list(row) for row in cursor.fetchall()]
        except Exception as error:  # trino and requests raise unrelated classes
            raise MillraceError(
                "a query to Trino", f"{error}: {statement}", "make status"
            ) from error

    def counts(self, schema: str, tables: tuple[str, ...]) -> dict[str, int]:
        """Rows of each table, in one query."""
        selects = (f"select '{table}', count(*) from {schema}.{table}" for table in tables)
        return {str(name): _int(number) for name, number in self.rows(" union all ".join(selects))}


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value


def count_datasets(settings: Settings, lake: Lake) -> list[DatasetCounts]:
    """Both ends of every dataset that has a contract, in the order of their names."""
    ledger = summarise(settings.ledger)
    counts = []
    for dataset, contract in sorted(load_contracts(settings.contracts).items()):
        landed, quarantined, distinct = lake.rows(
            "select count_if(is_landed), count_if(not is_landed),"
            f" count(distinct ({POSITION})) from ("
            f"select {POSITION}, true as is_landed from {contract.raw_table} union all"
            f" select {POSITION}, false from raw.quarantine"
            f" where status <> 'replayed' and dataset = '{dataset}')"
        )[0]
        sent = ledger.get(dataset)
        counts.append(
            DatasetCounts(
                dataset=dataset,
                acknowledged=sent.acknowledged if sent else 0,
                refused=sent.refused if sent else 0,
                unknown=sent.unknown if sent else 0,
                landed=_int(landed),
                distinct=_int(distinct),
                quarantined=_int(quarantined),
            )
        )
    return counts
