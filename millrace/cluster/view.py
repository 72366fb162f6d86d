"""How a starting cluster is shown: a live table on a terminal, one line a change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table

from millrace.cluster.states import ProcessState, Watch, health
from millrace.cluster.status import ClusterStatus

_COLOURS = {"healthy": "green", "done": "green", "failed": "red"}
_COLOURS |= {"unhealthy": "red", "restarting": "red"}


def coloured(word: str) -> str:
    """A health with its colour in rich's markup."""
    return f"[{_COLOURS.get(word, 'yellow')}]{word}[/]"


@contextmanager
def watching(console: Console) -> Iterator[Watch]:
    """A watcher for `up` that shows each service as it becomes healthy, with its time."""
    started = time.monotonic()
    ready: dict[str, float] = {}

    def note(states: Mapping[str, ProcessState]) -> list[str]:
        now = time.monotonic() - started
        changed = [n for n, s in states.items() if s.is_settled and n not in ready]
        ready.update(dict.fromkeys(changed, now))
        return changed

    if not console.is_terminal:

        def plain(states: Mapping[str, ProcessState]) -> None:
            for name in note(states):
                word = health(states[name])
                console.print(f"{ready[name]:6.1f} s  {name} {word}", highlight=False)

        yield plain
        return

    with Live(console=console, refresh_per_second=4) as live:

        def show(states: Mapping[str, ProcessState]) -> None:
            note(states)
            live.update(_table(states, ready, time.monotonic() - started))

        yield show


def _table(states: Mapping[str, ProcessState], ready: Mapping[str, float], elapsed: float) -> Table:
    settled = sum(state.is_settled for state in states.values())
    table = Table(
        title=f"starting: {settled} of {len(states)} ready, {elapsed:.0f} s", title_justify="left"
    )
    table.add_column("service")
    table.add_column("health")
    table.add_column("after", justify="right")
    table.add_column("restarts", justify="right")
    for name, state in states.items():
        after = f"{ready[name]:.1f} s" if name in ready else ""
        table.add_row(name, coloured(health(state)), after, str(state.restarts or ""))
    return table


def status_table(status: ClusterStatus) -> Table:
    """The table of `millrace status`."""
    table = Table(title=f"{status.rss_mb:,} MiB in all", title_justify="left")
    for column, side in (
        ("service", "left"),
        ("health", "left"),
        ("pid", "right"),
        ("MiB", "right"),
        ("restarts", "right"),
        ("ports", "left"),
    ):
        table.add_column(column, justify="right" if side == "right" else "left")
    for service in status.services:
        table.add_row(
            service.name,
            coloured(service.health),
            str(service.pid or ""),
            f"{service.rss_mb:,}" if service.pid else "",
            str(service.restarts or ""),
            " ".join(map(str, service.ports)),
        )
    for application in status.applications:
        name = f"{application.application} ({application.containers} containers)"
        table.add_row(name, coloured("healthy"), "", f"{application.rss_mb:,}", "", "")
    return table
