"""`millrace demo`: the whole chain once, and the count at both ends."""

from __future__ import annotations

import time

import click
from rich.console import Console

from millrace.cluster.pages import pages
from millrace.cluster.runtime import collect, current
from millrace.demo.counts import MARTS, PROCESSED, DatasetCounts, Lake, count_datasets
from millrace.demo.report import (
    NEXT,
    show_counts,
    show_datasets,
    show_pages,
    show_rows,
    show_times,
)
from millrace.demo.sample import planted_since, read_manifest
from millrace.demo.stages import MEMORY, STAGES, run_stage
from millrace.errors import MillraceError
from millrace.settings import Settings, load

TOP_DAYS = (
    "select order_date, order_count, unit_count, revenue_amount"
    " from marts.daily_revenue order by 1 desc limit 5"
)


@click.command()
def demo() -> None:
    """Start the cluster, send sample events all the way to marts, and prove the count.

    Exits with 0 only if every acknowledged record was landed or quarantined, exactly the planted
    bad records were quarantined, and every mart has rows. It may run again: the sample is
    published once more, raw doubles, the marts stay the same.
    """
    settings = load()
    seconds: dict[str, float] = {}
    before: list[DatasetCounts] = []
    for number, stage in enumerate(STAGES, start=1):
        if stage is STAGES[-1]:
            collect(settings)
            before = count_datasets(settings, Lake(settings))
        seconds[stage.title] = run_stage(settings, stage, f"{number}/{len(STAGES)}")
    started = time.monotonic()
    problems = report(settings, before, seconds, started)
    if problems:
        raise MillraceError("the demo's result", "; ".join(problems), "bin/millrace landing status")


def report(
    settings: Settings, before: list[DatasetCounts], seconds: dict[str, float], started: float
) -> list[str]:
    """Count, print, and return what does not hold."""
    console = Console()
    # A pipe has no width: nothing may be cut there.
    console = console if console.is_terminal else Console(width=120)
    lake = Lake(settings)
    collect(settings)
    after = count_datasets(settings, lake)
    planted = planted_since(before, after, read_manifest(settings))
    processed = lake.counts("processed", PROCESSED)
    marts = lake.counts("marts", MARTS)
    top_days, columns = lake.rows(TOP_DAYS), ["day", "orders", "units", "revenue"]
    seconds["count both ends"] = time.monotonic() - started

    console.print()
    show_datasets(console, before, after, planted)
    show_counts(console, "Rows in processed", processed)
    show_counts(console, "Rows in marts", marts)
    show_rows(console, "The latest days of marts.daily_revenue", columns, top_days)
    show_times(console, seconds)
    run_stage(settings, MEMORY, "memory now")
    show_pages(console, pages(settings, current(settings).services()))
    console.print(NEXT)
    return find_problems(before, after, planted, marts)


def find_problems(
    before: list[DatasetCounts],
    after: list[DatasetCounts],
    planted: dict[str, int],
    marts: dict[str, int],
) -> list[str]:
    """What the demo promises and did not hold, in words; empty means all of it held."""
    earlier = {row.dataset: row.quarantined for row in before}
    problems = [f"the law is broken for {row.dataset}" for row in after if not row.law_holds]
    problems += [
        f"{row.dataset} has {quarantined} new records in quarantine, {planted[row.dataset]} planted"
        for row in after
        if row.dataset in planted
        and (quarantined := row.quarantined - earlier.get(row.dataset, 0)) != planted[row.dataset]
    ]
    problems += [f"marts.{name} has no rows" for name, rows in marts.items() if not rows]
    return problems
