"""The processed tables in memory: the columns that expectations are about, and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError

from millrace.errors import MillraceError
from millrace.processed import ProcessedTable

BUILD = "scripts/spark-submit spark_jobs/batch/build_processed.py"
NESTED = ("array", "struct")


def load_frames(catalog: Catalog, tables: Sequence[ProcessedTable]) -> dict[str, pd.DataFrame]:
    """Table name to its rows; the tables are read side by side.

    Raises:
        MillraceError: a table has not been built.
    """
    with ThreadPoolExecutor(max_workers=max(len(tables), 1)) as pool:
        frames = pool.map(lambda table: _load(catalog, table), tables)
        return {table.name: frame for table, frame in zip(tables, frames, strict=True)}


def with_relations(
    frames: Mapping[str, pd.DataFrame], tables: Sequence[ProcessedTable]
) -> dict[str, pd.DataFrame]:
    """The frames with a column for each relation: whether the value is where it refers to.

    A row without a value refers to nothing, which is the contract's concern (`required`).
    """
    return {table.name: _related(frames, table) for table in tables}


def references(table: ProcessedTable, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Column, table and column referred to, of the relations to tables of these names."""
    found = [(field.name, *_split(field.references)) for field in table.fields if field.references]
    if table.child is not None:
        parent = table.contract
        found += [(name, parent.dataset, name) for name in parent.key]
    return [each for each in found if each[1] in names]


def relation_column(column: str, target: str) -> str:
    """The name of the column that says whether a relation holds."""
    return f"{column}_is_in_{target}"


def _load(catalog: Catalog, table: ProcessedTable) -> pd.DataFrame:
    try:
        loaded = catalog.load_table(table.identifier)
    except NoSuchTableError:
        raise MillraceError(table.identifier, "it has not been built", BUILD) from None
    names = [field.name for field in table.fields if field.type not in NESTED]
    present = [name for name in names if name in loaded.schema().column_names]
    if absent := sorted(set(names) - set(present)):
        raise MillraceError(
            table.identifier, f"it has no column {absent[0]}, which its contract has gained", BUILD
        )
    frame: pd.DataFrame = loaded.scan(selected_fields=tuple(names)).to_arrow().to_pandas()
    # Files come in no order; a report that is the same for the same rows does.
    return frame.sort_values(list(table.key), ignore_index=True)


def _related(frames: Mapping[str, pd.DataFrame], table: ProcessedTable) -> pd.DataFrame:
    frame = frames[table.name]
    relations = {
        relation_column(column, target): frame[column].isna()
        | frame[column].isin(frames[target][name])
        for column, target, name in references(table, list(frames))
    }
    return frame.assign(**relations)


def _split(reference: str) -> tuple[str, str]:
    dataset, _, field = reference.partition(".")
    return dataset, field
