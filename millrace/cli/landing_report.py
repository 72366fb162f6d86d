"""What `millrace landing` prints of the application, the topics and a rebuild."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from millrace.landing.control import State
from millrace.landing.lag import Lag
from millrace.landing.rebuild import Rebuild
from millrace.landing.status import PartitionStatus, TopicStatus, duration
from millrace.landing.yarn import Application


def as_json(
    applications: Sequence[Application], state: State | None, topics: Sequence[TopicStatus]
) -> dict[str, Any]:
    """The whole status as one object."""
    return {
        "application": applications[0].id if applications else None,
        "state": state.state if applications and state else "stopped",
        "lag": {topic.dataset: topic.behind for topic in topics},
        "topics": [
            {**asdict(topic), "behind": topic.behind, "behind_s": topic.behind_s}
            for topic in topics
        ],
    }


def show_application(applications: Sequence[Application], state: State | None) -> None:
    """The application on YARN, and what it said last."""
    for application in applications:
        click.echo(f"{application.id}  {application.state.lower()}")
    if not applications:
        click.echo("no landing application is running")
    if state is not None:
        age = time.time() - state.at
        click.echo(f"{state.application_id} said {age:.0f} s ago: {state.state}")
        click.echo(f"  {state.records} records in {state.batches} batches since it started")
        if state.detail:
            click.echo(f"  {state.detail}")


def show_topics(topics: Sequence[TopicStatus]) -> None:
    """Each topic with its partitions, then what is wrong."""
    for topic in topics:
        click.echo(f"{topic.topic} -> {topic.table}: {topic.rows} rows, {_behind(topic)}")
        for each in topic.partitions:
            click.echo(f"  {_partition(each)}")
    for topic in topics:
        for problem in topic.problems:
            click.echo(f"wrong: {problem.text}\n  to mend it: {problem.remedy}")


def show_lags(lags: Sequence[Lag]) -> None:
    """How far each topic is landed."""
    width = max((len(each.dataset) for each in lags), default=0)
    for each in lags:
        click.echo(f"{each.dataset:{width}}  behind {each.behind} of {each.end}")


def show_rebuild(rebuild: Rebuild) -> None:
    """What a rebuild would record."""
    state = "tells nothing" if rebuild.lost else "tells less than its rows"
    click.echo(f"{rebuild.table.name} {state}; its rows say")
    for each in rebuild.changes:
        before = "nothing" if each.recorded is None else str(each.recorded)
        place = f"{each.topic} partition {each.partition}"
        click.echo(f"  {place}: landed up to {each.rebuilt} (recorded: {before})")
    if not rebuild.changes:
        click.echo("  nothing is landed: it starts with the log's first record")


def _behind(topic: TopicStatus) -> str:
    if not topic.behind:
        return "nothing is behind" if topic.partitions else "not known"
    return f"{topic.behind} records behind, the oldest by {duration(topic.behind_s)}"


def _partition(each: PartitionStatus) -> str:
    landed = "nothing" if each.landed is None else f"up to {each.landed}"
    text = f"partition {each.partition}: landed {landed}, the log has {each.begin} to {each.end}"
    return f"{text}, {each.behind} behind" if each.behind else text
