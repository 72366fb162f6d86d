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
from millrace.settings import Settings
from millrace_producers.ledger import summarise

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
    """Records of one dataset, by where they were seen. `distinct` counts log positions in raw."""

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
        none_twice = self.landed == self.distinct
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
    quarantined = {
        str(dataset): _int(number)
        for dataset, number in lake.rows(
            "select dataset, count(*) from raw.quarantine where status = 'quarantined' group by 1"
        )
    }
    counts = []
    for dataset, contract in sorted(load_contracts(settings.contracts).items()):
        landed, distinct = lake.rows(
            "select count(*), count(distinct (kafka_topic, kafka_partition, kafka_offset))"
            f" from {contract.raw_table}"
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
                quarantined=quarantined.get(dataset, 0),
            )
        )
    return counts
