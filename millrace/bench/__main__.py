"""`python -m millrace.bench`: the benchmark on the cluster of this environment.

Called by `millrace bench ingest` in the environment of a cluster of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from millrace import ending
from millrace.apply import draw_up, execute
from millrace.bench.audit import Ask, ask_trino
from millrace.bench.contestant import Terms, roots
from millrace.bench.contestants import contestants
from millrace.bench.drain import take_turn
from millrace.bench.fill import fill
from millrace.bench.freshness import Watcher, measure, wait_ready
from millrace.bench.report import Freshness, Report, Turn
from millrace.chaos.landing import LandingStream
from millrace.chaos.triggers import NotSeenError, until
from millrace.cluster.supervisor import Supervisor
from millrace.contracts import load_contracts
from millrace.errors import MillraceError
from millrace.landing.yarn import Yarn
from millrace.settings import Settings, load

CONTRACTS = Path(__file__).parent / "contracts"
EVENTS, PULSES = "bench_events", "bench_pulses"
#: Idle, they use a tenth of a core; and a DAG of theirs starts landing where it does not run.
UNNEEDED = "airflow"

Say = Callable[[str], None]


def main() -> None:
    """Measure as the command line says; exit with 0 where everything has a figure."""
    options = _parse()
    settings, began = load(), time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f}  {text}", flush=True)

    try:
        report = run(settings, options, say)
    except MillraceError as error:
        sys.exit(f"error: {error}")
    report.write(options.out)
    print("\n".join(["", *report.lines(), f"written to {options.out}"]), flush=True)
    sys.exit(0 if report.is_right else 1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="millrace bench ingest", description=__doc__)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--only", type=lambda text: text.split(",") if text else [], default=[])
    parser.add_argument(
        "--rates", type=lambda text: [int(each) for each in text.split(",") if each], default=[]
    )
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def run(settings: Settings, options: argparse.Namespace, say: Say) -> Report:
    """Fill the topic, give every contestant its turn, measure freshness."""
    landing = settings.landing
    ask = ask_trino(settings)
    _stop_unneeded(settings)
    say("applying the contracts of the benchmark")
    topics = _apply(settings)
    filled = fill(settings, topics[EVENTS], options.rows, say)
    if filled.seconds:
        say(f"produced {filled.rows:,} records in {filled.seconds:.1f} s")
    _end_applications(settings)
    terms = Terms(settings, filled.topic, landing.max_offsets, landing.trigger_seconds)
    all_ = contestants(terms, EVENTS)
    turns: list[Turn] = []
    for name in options.only or all_:
        turns.append(take_turn(all_[name], terms, filled, ask, say))
        say(f"{turns[-1].title}: {turns[-1].failed or turns[-1].verdict}")
    shown = {
        **{name: getattr(filled, name) for name in ("rows", "bytes", "seconds")},
        "partitions": len(filled.ends),
        "batch": terms.batch,
        "interval_s": terms.interval_s,
        "landing": landing.model_dump(),
    }
    report = Report(datetime.now(UTC).isoformat(timespec="seconds"), shown, turns)
    report.write(options.out)  # half an hour's figures, whatever becomes of the rest
    freshness, failures = _freshness(settings, ask, topics[PULSES], options, say)
    return replace(report, freshness=freshness, failures=failures)


def _apply(settings: Settings) -> dict[str, str]:
    """Have topics and tables; dataset to topic."""
    for file in CONTRACTS.glob("*.yaml"):
        shutil.copy(file, settings.contracts)
    known = load_contracts(settings.contracts)
    execute(draw_up(settings, known.values()), lambda step: None)
    return {dataset: known[dataset].topic for dataset in (EVENTS, PULSES)}


def _stop_unneeded(settings: Settings) -> None:
    supervisor = Supervisor(settings)
    for name in supervisor.processes():
        if name.startswith(UNNEEDED):
            supervisor.stop_service(name)


def _end_applications(settings: Settings) -> None:
    """End what Airflow may have started: a contestant has YARN's containers for itself."""
    yarn = Yarn(settings)

    def quiet() -> bool:
        for each in yarn.landing():
            yarn.kill(each)
        return not roots(settings.home)

    until("no container of YARN", quiet)


def _freshness(
    settings: Settings, ask: Ask, topic: str, options: argparse.Namespace, say: Say
) -> tuple[Sequence[Freshness], Sequence[str]]:
    """One measurement a rate; what fails is told and takes no figure from what went well."""
    found: list[Freshness] = []
    if not options.rates:
        return found, []
    stream = LandingStream(settings, {})
    watcher = Watcher(ask, f"raw.{PULSES}", topic)
    try:
        say("freshness: starting landing")
        stream.start()
        wait_ready(settings, watcher, topic, settings.home / "run", say)
        for rate in options.rates:
            say(f"freshness: {rate:,} rows/s for {options.seconds:g} s")
            found.append(measure(settings, watcher, topic, rate, options.seconds, say))
            say(f"freshness: {asdict(found[-1])}")
    except Exception as error:  # whatever a client raises: what went well keeps its figure
        return found, [f"freshness: {error}"]
    finally:
        with contextlib.suppress(NotSeenError):  # then it is ended
            stream.stop()
    return found, []


if __name__ == "__main__":
    ending.run(main)
