"""`millrace run`: start a DAG and watch it."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from millrace.cluster.runtime import collect
from millrace.errors import MillraceError
from millrace.orchestration.client import Airflow, Task
from millrace.orchestration.follow import Observer, Run, failure, follow, start
from millrace.settings import load

PIPELINE = "enterprise_data_pipeline"
#: Keep running, and small, what the pipeline has started, so they are switched on with it.
COMPANIONS = ("lake_landing", "lake_maintenance_daily")

STYLES = {"success": "green", "failed": "bold red", "running": "cyan", "deferred": "cyan"}
STYLES |= {"up_for_retry": "yellow", "upstream_failed": "red", "skipped": "dim"}
MARKS = {"success": "✔", "failed": "✘", "running": "▶", "deferred": "▶", "up_for_retry": "↻"}
MARKS |= {"upstream_failed": "✘", "skipped": "-"}
#: Worth a line of their own where there is no terminal to redraw.
TOLD = frozenset({"running", "deferred", "success", "failed", "up_for_retry", "skipped"})


@click.command()
@click.argument("dag_id", default=PIPELINE)
@click.option("--follow/--no-follow", "follows", default=True, help="Stay until the run has ended.")
@click.option("--conf", default="{}", help="Parameters of the run as JSON.", show_default=True)
def run(dag_id: str, follows: bool, conf: str) -> None:
    """Run DAG_ID (default: the pipeline) and follow it to its end.

    Exits with 1 where the run fails, naming the task and showing the end of its log.
    """
    settings = load()
    airflow = Airflow(settings)
    started = start(airflow, dag_id, parameters(conf))
    click.echo(f"{dag_id}: {started.run_id}\n{started.page}")
    if not follows:
        return
    console = Console()
    watch(airflow, started, console)
    collect(settings)
    if started.state != "success":
        raise failure(airflow, started)
    if dag_id == PIPELINE:
        for companion in COMPANIONS:
            airflow.unpause(companion)
    console.print(f"[green]{dag_id} succeeded[/] in {started.seconds:.0f} s")


def parameters(conf: str) -> dict[str, Any]:
    """The parameters of a run, from JSON.

    Raises:
        MillraceError: it is not a JSON object.
    """
    try:
        document = json.loads(conf)
    except ValueError as error:
        document = error
    if not isinstance(document, dict):
        raise MillraceError(
            "--conf",
            f"{conf!r} is not a JSON object",
            """bin/millrace run --conf '{"generate": false}'""",
        )
    return document


def watch(airflow: Airflow, run: Run, console: Console) -> None:
    """Show a run until it has ended: a live table on a terminal, else a line a change."""
    if not console.is_terminal:
        follow(airflow, run, tell(console))
        return
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        follow(airflow, run, lambda run, changed: live.update(table(run)))


def tell(console: Console) -> Observer:
    """An observer that prints one line for each change of a task."""

    def line(run: Run, changed: list[Task]) -> None:
        for task in changed:
            if task.state in TOLD:
                took = f"  {task.seconds:.1f} s" if task.seconds and task.state == "success" else ""
                attempt = f"  (try {task.try_number})" if task.try_number > 1 else ""
                console.print(
                    f"{run.seconds:6.1f} s  {task.state:<12} {task.name}{took}{attempt}",
                    highlight=False,
                    soft_wrap=True,
                )

    return line


def table(run: Run) -> Group:
    """The tasks of a run under their groups, in the order in which they started."""
    grid = Table.grid(padding=(0, 2))
    groups: dict[str, list[Task]] = {}
    for task in run.tasks.values():
        groups.setdefault(task.name.rpartition(".")[0], []).append(task)
    for group, tasks in groups.items():
        done = sum(task.state in {"success", "skipped"} for task in tasks)
        grid.add_row("", Text(group or run.dag_id, style="bold"), f"{done}/{len(tasks)}", "")
        # A group that is done folds, so that the rest fits a terminal.
        for task in tasks if done < len(tasks) else ():
            state = task.state or ""
            grid.add_row(
                Text(MARKS.get(state, "·"), style=STYLES.get(state, "dim")),
                Text(f"  {task.name.rpartition('.')[2]}", style=STYLES.get(state, "dim")),
                Text(state, style=STYLES.get(state, "dim")),
                f"{task.seconds:.1f} s" if task.seconds else "",
            )
    return Group(grid, Text(f"{run.state}, {run.seconds:.0f} s", style=STYLES.get(run.state, "")))
