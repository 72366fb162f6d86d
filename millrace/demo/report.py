"""The last page of the demo: the counts, the law, and where to look next."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from millrace.cluster.pages import Page
from millrace.demo.counts import DatasetCounts


def show_datasets(
    console: Console,
    before: list[DatasetCounts],
    after: list[DatasetCounts],
    planted: dict[str, int],
) -> None:
    """Both ends of every dataset, and whether the law holds for it."""
    table = Table(title="Records: acknowledged = landed + quarantined", title_justify="left")
    table.add_column("dataset")
    headings = ("acknowledged", "landed", "quarantined", "new in quarantine", "planted", "unknown")
    for heading in headings:
        table.add_column(heading, justify="right")
    table.add_column("law")
    earlier = {row.dataset: row.quarantined for row in before}
    for row in after:
        new = row.quarantined - earlier.get(row.dataset, 0)
        numbers = (row.acknowledged, row.landed, row.quarantined, new)
        table.add_row(
            row.dataset,
            *(f"{number:,}" for number in (*numbers, planted.get(row.dataset, 0), row.unknown)),
            "holds" if row.law_holds else "[red]BROKEN[/red]",
        )
    console.print(table)


def show_counts(console: Console, title: str, counts: dict[str, int]) -> None:
    """Rows of each table of a layer."""
    table = Table(title=title, title_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    for name, rows in counts.items():
        table.add_row(name, f"{rows:,}" if rows else "[red]0[/red]")
    console.print(table)


def show_rows(console: Console, title: str, columns: list[str], rows: list[list[object]]) -> None:
    """The rows of a query."""
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(str(value) for value in row))
    console.print(table)


def show_times(console: Console, seconds: dict[str, float]) -> None:
    """Seconds of each stage and of all."""
    table = Table(title="Time per stage", title_justify="left")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    for title, elapsed in seconds.items():
        table.add_row(title, f"{elapsed:.1f}")
    table.add_row("all", f"{sum(seconds.values()):.1f}", style="bold")
    console.print(table)


def show_pages(console: Console, found: list[Page]) -> None:
    """Every address of the cluster and how to log in."""
    console.print("\n[bold]Where to look[/bold]")
    for page in found:
        line = f"  {page.title:<16}{page.url}" + (f"  ({page.login})" if page.login else "")
        # Whole on its line, so that it can be copied from a narrow terminal.
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    console.print()


NEXT = """[bold]What to try next[/bold]
  make status                                      each service with its memory
  make sql ARGS="select * from marts.fact_sales limit 5"
  make dbt ARGS="build --select daily_revenue"     build one mart by hand
  make produce DATASET=customers FROM=new.csv      publish records of your own
  docs/cookbooks/add-a-dataset.md                  a dataset of your own, without Python
  make down                                        stop; the data stays"""
