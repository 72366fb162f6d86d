"""One contestant's turn: an empty table, the topic from its beginning, a verdict, the figures."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from millrace.bench.audit import Ask, audit
from millrace.bench.commits import Commit, Drain, commits_of
from millrace.bench.contestant import Contestant, Terms
from millrace.bench.cpu import CpuMeter, Sample, used
from millrace.bench.fill import Filled
from millrace.bench.report import Turn
from millrace.errors import MillraceError
from millrace.lake import catalog

POLL_S = 1.0
SAY_EVERY_S = 15.0
#: Nothing new for so long: it will not come. To start up takes 200 s on a machine that is busy.
STALLED_S = 300.0


@dataclass(frozen=True)
class _Watched:
    began: float
    commits: list[Commit]
    failed: str
    samples: list[Sample]


def take_turn(
    contestant: Contestant, terms: Terms, filled: Filled, ask: Ask, say: Callable[[str], None]
) -> Turn:
    """Have a contestant drain the topic, and judge its table.

    Args:
        ask: a reader that is no contestant.
    """
    load = os.getloadavg()[0]
    say(f"{contestant.title}: preparing")
    try:
        contestant.prepare()
        watched = _watch(contestant, terms, filled, say)
        say(f"{contestant.title}: comparing {contestant.table} with what was produced")
        verdict = audit(ask, contestant.table, filled.rows)
    except Exception as error:  # one that fails takes no turn from the others
        return Turn(contestant.name, contestant.title, failed=_said(error), load=load)
    if watched.failed or not verdict.is_right or not watched.commits:
        failed = watched.failed or str(verdict)
        return Turn(contestant.name, contestant.title, failed=failed, load=load)
    drain = Drain(watched.began, watched.commits)
    first, last = drain.commits[0].at, drain.commits[-1].at
    return Turn(
        contestant.name,
        contestant.title,
        verdict=str(verdict),
        load=load,
        rows=drain.rows,
        bytes=filled.bytes,
        commits=len(drain.commits),
        first_s=drain.first_s,
        wall_s=drain.wall_s,
        steady_s=drain.steady_s,
        steady_rows=drain.steady_rows,
        cpu_s=used(watched.samples, watched.began, last),
        steady_cpu_s=used(watched.samples, first, last),
    )


def _watch(
    contestant: Contestant, terms: Terms, filled: Filled, say: Callable[[str], None]
) -> _Watched:
    """Start it, follow its commits until it has drained the topic, and stop it."""
    lake, failed = catalog(terms.settings), ""
    commits: list[Commit] = []
    with CpuMeter(contestant.processes) as meter:
        began = moved = said = time.time()
        try:
            contestant.start()
            while True:
                ended = contestant.has_ended()
                found = commits_of(lake.load_table(contestant.table))
                if len(found) > len(commits):
                    moved = time.time()
                commits = found
                rows = sum(each.rows for each in commits)
                if ended or rows >= filled.rows:
                    break
                if time.time() - moved > STALLED_S:
                    failed = f"{rows:,} rows, and nothing new for {STALLED_S:.0f} s"
                    break
                if time.time() - said > SAY_EVERY_S:
                    said = time.time()
                    say(f"{contestant.title}: {rows:,} of {filled.rows:,} rows committed")
                time.sleep(POLL_S)
        except MillraceError as error:
            failed = _said(error)
        finally:
            contestant.stop()
    # What it committed as it was stopped belongs to it too.
    commits = commits_of(lake.load_table(contestant.table))
    return _Watched(began, commits, failed, meter.samples)


def _said(error: Exception) -> str:
    return f"{error.thing}: {error.cause}" if isinstance(error, MillraceError) else repr(error)
