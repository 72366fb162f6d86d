"""dbt through Trino: the marts of a small shop with known numbers, built twice.

The shop stands in a schema of its own beside `processed`, so that these numbers do not depend on
the sample data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import trino

MARTS = [
    *("fact_sales", "dim_customer", "dim_product", "dim_date", "dim_location"),
    *("orders", "customers", "products", "daily_revenue", "customer_cohorts"),
]
SCHEMA = "processed_shop"
VARS = json.dumps({"processed_schema": SCHEMA})
AUDIT = """, 'shop' as source_topic, 0 as source_partition, bigint '0' as source_offset,
    timestamp '2026-01-01 00:00:00.000000 UTC' as source_at,
    timestamp '2026-01-01 00:00:00.000000 UTC' as processed_at"""
TABLES = {
    # Order O3 names a customer that is not there; O2 was cancelled, O4 was returned.
    "orders": """
        select id as order_id, customer as customer_id, 'L001' as location_id, status,
            from_iso8601_timestamp(placed) as placed_at,
            from_iso8601_timestamp(placed) as updated_at, 'EUR' as currency, total as total_cents
        from (values
            ('O0000001', 'C000001', 'delivered', '2026-01-30T23:59:59Z', bigint '1900'),
            ('O0000002', 'C000001', 'cancelled', '2026-01-31T10:00:00Z', 500),
            ('O0000003', 'C000009', 'paid', '2026-02-02T00:00:00Z', 700),
            ('O0000004', 'C000001', 'returned', '2026-02-02T12:00:00Z', 500),
            ('O0000005', 'C000001', 'placed', '2026-02-02T13:00:00Z', 550)
        ) as t (id, customer, status, placed, total)""",
    "order_lines": """
        select id as order_id, number as line_number, product as product_id, quantity,
            price as unit_price_cents, discount as discount_cents
        from (values
            ('O0000001', 1, 'P00001', 2, bigint '500', bigint '100'),
            ('O0000001', 2, 'P00002', 1, 1000, 0),
            ('O0000002', 1, 'P00001', 1, 500, 0),
            ('O0000003', 1, 'P00002', 1, 700, 0),
            ('O0000004', 1, 'P00001', 1, 500, 0),
            ('O0000005', 1, 'P00001', 1, 550, 0)
        ) as t (id, number, product, quantity, price, discount)""",
    "customers": """
        select 'C000001' as customer_id, 'Ada' as name, 'ada@example.org' as email,
            '1' as phone, 'DE' as country, 'Berlin' as city, 'consumer' as segment,
            timestamp '2026-01-01 00:00:00.000000 UTC' as created_at,
            timestamp '2026-01-01 00:00:00.000000 UTC' as updated_at""",
    "products": """
        select id as product_id, id as name, 'tea' as category, price as price_cents,
            'EUR' as currency, true as is_active,
            timestamp '2026-01-01 00:00:00.000000 UTC' as updated_at
        from (values ('P00001', bigint '550'), ('P00002', 700)) as t (id, price)""",
    "locations": """
        select 'L001' as location_id, 'Mitte' as name, 'Berlin' as city, 'DE' as country,
            'store' as kind, date '2020-01-01' as opened_date,
            timestamp '2026-01-01 00:00:00.000000 UTC' as updated_at""",
}
Query = Any


@pytest.fixture(scope="module")
def query(cluster: Any) -> Query:
    """Run a statement on Trino and return its rows."""
    connection = trino.dbapi.connect(
        host=cluster.trino.host, port=cluster.trino.port, user="test", catalog="iceberg"
    )

    def run(statement: str) -> list[list[Any]]:
        cursor = connection.cursor()
        cursor.execute(statement)
        return cursor.fetchall()

    return run


@pytest.fixture(scope="module")
def marts(query: Query, millrace: Any) -> Iterator[None]:
    """The shop's processed tables, and the marts built from them."""
    query(f"create schema if not exists {SCHEMA} with (location = 's3://data-lake/{SCHEMA}')")
    for name, select in TABLES.items():
        inner = f"select *{AUDIT} from ({select})"
        query(f"create or replace table {SCHEMA}.{name} as {inner}")
    millrace("dbt", "build", "--vars", VARS)
    yield
    for name in TABLES:
        query(f"drop table {SCHEMA}.{name}")
    query(f"drop schema {SCHEMA}")


def rows_of(query: Query, name: str) -> list[list[Any]]:
    """Every row of a mart, in an order that depends on the rows alone."""
    return sorted(query(f"select * from marts.{name}"), key=repr)


@pytest.mark.usefixtures("marts")
def test_daily_revenue_leaves_out_what_was_cancelled_or_returned(query: Query) -> None:
    shown = query(
        "select order_date, order_count, revenue_amount from marts.daily_revenue order by 1"
    )
    found = [(str(day), count, str(amount)) for day, count, amount in shown]
    assert found == [
        ("2026-01-30", 1, "19.00"),
        ("2026-01-31", 0, "0.00"),
        ("2026-02-01", 0, "0.00"),
        ("2026-02-02", 2, "12.50"),
    ]


@pytest.mark.usefixtures("marts")
def test_an_order_of_an_unknown_customer_keeps_its_place(query: Query) -> None:
    inferred = query("select customer_id, is_inferred from marts.dim_customer order by 1")
    assert inferred == [["C000001", False], ["C000009", True]]
    assert query("select sum(revenue_cents) from marts.customers") == [[3150]]


@pytest.mark.usefixtures("marts")
@pytest.mark.parametrize("name", MARTS)
def test_a_mart_is_reachable_without_its_schema(query: Query, name: str) -> None:
    (count,), (expected,) = (
        query(f'select count(*) from iceberg."default".{name}')[0],
        query(f"select count(*) from iceberg.marts.{name}")[0],
    )
    assert count == expected > 0


@pytest.mark.usefixtures("marts")
def test_a_second_build_gives_the_same_rows_and_keeps_the_first_readable(
    query: Query, millrace: Any
) -> None:
    before = {name: rows_of(query, name) for name in MARTS}
    (snapshot,) = query(
        'select snapshot_id from marts."fact_sales$snapshots" order by committed_at desc limit 1'
    )[0]
    millrace("dbt", "build", "--vars", VARS)
    assert {name: rows_of(query, name) for name in MARTS} == before
    old = query(f"select * from marts.fact_sales for version as of {snapshot}")
    assert sorted(old, key=repr) == before["fact_sales"]


@pytest.mark.usefixtures("marts")
def test_every_analysis_runs(query: Query, millrace: Any, cluster: Any) -> None:
    millrace("dbt", "compile", "--select", "path:analyses", "--vars", VARS)
    folder = cluster.home / "dbt" / "target" / "compiled" / "enterprise_data_pipeline" / "analyses"
    compiled = sorted(folder.glob("*.sql"))
    assert len(compiled) == len(list((cluster.root / "dbt_project" / "analyses").glob("*.sql")))
    for file in compiled:
        assert query(file.read_text()), f"{file.name} gives no row"


@pytest.mark.usefixtures("marts")
def test_sql_prints_a_table_and_refuses_a_bad_statement_with_its_cause(millrace: Any) -> None:
    shown = millrace("sql", "--csv", "select * from daily_revenue order by 1 desc limit 1").stdout
    assert shown.splitlines()[1].startswith("2026-02-02,")
    refused = millrace("sql", "select no_such_column from daily_revenue", expect=1).stderr
    assert "no_such_column" in refused
    assert "to mend it" in refused
