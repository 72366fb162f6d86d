"""The gate itself: run every table's suite, write the Data Docs, say what does not hold.

Everything stays in memory but the Data Docs: the suites are derived from the contracts at every
run, so there is no second description of a table that could grow stale.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from millrace.contracts import Contract
from millrace.lake import catalog
from millrace.processed import ProcessedTable, processed_tables
from millrace.quality.errors import QualityError, Violation
from millrace.quality.frames import load_frames, with_relations
from millrace.quality.library import gx
from millrace.quality.suites import Expected, expected_of, with_totals
from millrace.settings import Settings

SITE = "processed"
SAMPLES = 3


def check_processed(
    settings: Settings, contracts: Iterable[Contract], tell: Callable[[str], None]
) -> Path:
    """Check every processed table; returns the first page of the Data Docs.

    Raises:
        QualityError: an expectation does not hold. The Data Docs are written all the same.
        MillraceError: a table has not been built.
    """
    tables = processed_tables(contracts)
    frames = load_frames(catalog(settings), tables)
    return check_frames(frames, tables, settings.home / "quality", tell)


def check_frames(
    frames: Mapping[str, pd.DataFrame],
    tables: Sequence[ProcessedTable],
    folder: Path,
    tell: Callable[[str], None],
) -> Path:
    """Check these rows, and write the Data Docs into the folder."""
    ready = with_totals(with_relations(frames, tables))
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas(SITE)
    violations: list[Violation] = []
    for table in tables:
        expected = expected_of(table, list(ready))
        broken = _check(context, source, table, expected, ready[table.name])
        violations += broken
        tell(
            f"{table.identifier}: {len(ready[table.name])} rows, "
            f"{len(expected) - len(broken)} of {len(expected)} expectations hold"
        )
    index = _write_docs(context, folder)
    if violations:
        raise QualityError(violations, index)
    return index


def _check(
    context: Any,
    source: Any,
    table: ProcessedTable,
    expected: Sequence[Expected],
    frame: pd.DataFrame,
) -> list[Violation]:
    """Run one table's suite."""
    name = table.identifier
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
    # Results come back in an order of the library's own.
    for place, each in enumerate(expected):
        each.expectation.meta = {"place": place}
        each.expectation.notes = each.words
    suite = gx.ExpectationSuite(name=name, expectations=[each.expectation for each in expected])
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name=name, data=batch, suite=context.suites.add(suite))
    )
    outcome = definition.run(
        batch_parameters={"dataframe": frame},
        result_format={
            "result_format": "SUMMARY",
            "unexpected_index_column_names": list(table.key),
            "partial_unexpected_count": SAMPLES,
        },
    )
    return [_violation(table, expected, each) for each in outcome.results if not each.success]


def _violation(table: ProcessedTable, expected: Sequence[Expected], result: Any) -> Violation:
    """A failed result in words."""
    words = expected[result.expectation_config.meta["place"]].words
    found = result.result
    if "unexpected_count" not in found:
        failure = str(result.exception_info)
        raise RuntimeError(f"{table.identifier}: {words}: could not be checked: {failure}")
    rows = found.get("partial_unexpected_index_list") or []
    samples = (", ".join(f"{name}={row.get(name)}" for name in table.key) for row in rows)
    return Violation(
        table=table.identifier,
        expectation=words,
        rows=int(found["unexpected_count"]),
        samples=tuple(dict.fromkeys(samples)),
    )


def _write_docs(context: Any, folder: Path) -> Path:
    """Replace the Data Docs; those of an earlier run tell of rows that are no more."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}
    context.add_data_docs_site(
        site_name=SITE,
        site_config={
            "class_name": "SiteBuilder",
            "store_backend": store,
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "show_how_to_buttons": False,
        },
    )
    context.build_data_docs(site_names=[SITE])
    return folder / "index.html"
