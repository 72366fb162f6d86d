"""Verification of several subjects, one after the other, and the report of all."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import millrace
from millrace.contracts import Contract, find, load_contracts
from millrace.settings import Settings
from millrace.verify.decode import registry
from millrace.verify.engines import ask_spark, ask_trino
from millrace.verify.judging import Judging, Sources
from millrace.verify.report import Report
from millrace.verify.stores import open_catalog
from millrace.verify.subject import Subject
from millrace.verify.topic import KafkaLog
from millrace.verify.verdict import strays

__all__ = ["ENGINES", "Sources", "sources_of", "verify"]

#: Whoever is compared with PyIceberg, which reads the tables in any case.
ASKED = {"trino": ask_trino, "spark": ask_spark}
ENGINES = ("pyiceberg", *ASKED)
#: How long landing may take for what was acknowledged before verification began: an application
#: that is just being started makes its first commit after 40 to 46 s.
WAIT_S = 60.0
_LIBRARIES = ("avro", "confluent-kafka", "pyarrow", "pyiceberg")


def verify(
    subjects: Sequence[Subject],
    settings: Settings,
    engines: Sequence[str] = ENGINES,
    *,
    wait_s: float = WAIT_S,
    sources: Sources | None = None,
    contracts: Mapping[str, Contract] | None = None,
    say: Callable[[str], None] = lambda what: None,
) -> Report:
    """Judge the subjects by the seven laws.

    Args:
        engines: whose counts and checksums are compared (L6); `pyiceberg` is always one of them.
        wait_s: how long landing may take for what the topic held in the beginning. What has not
            landed by then is a finding, unless the landed end moved meanwhile; with 0 nothing is
            waited for and everything that has not landed is a finding.
        sources: where everything is read; by default what the settings name.
        contracts: by dataset; by default those of the settings.
        say: told what is being done.

    Raises:
        MillraceError: something could not be judged: a service that does not answer, a table that
            is not there, a ledger that can not be read.
    """
    started, began = time.monotonic(), datetime.now(UTC)
    sources = sources or sources_of(settings)
    contracts = contracts or load_contracts(settings.contracts)
    with tempfile.TemporaryDirectory(prefix="millrace-verify-") as work:
        state = Judging(sources, wait_s, Path(work), say)
        state.judge([(subject, find(subject.dataset, contracts)) for subject in subjects])
        quarantines = sorted({subject.quarantine_table for subject in subjects})
        state.notes += strays(sources.catalog, quarantines, contracts)
        chosen = {name: ask(settings) for name, ask in ASKED.items() if name in engines}
        state.compare(chosen)
    state.seconds["all"] = round(time.monotonic() - started, 3)
    return Report(
        findings=tuple(sorted(state.findings, key=lambda each: (each.law, each.dataset))),
        counts=state.counts,
        durations_s=state.seconds,
        versions=_versions(),
        seed=_seed(settings),
        checks=tuple(state.checks),
        notes=tuple(dict.fromkeys(state.notes)),
        snapshots=state.snapshots,
        ends=state.ends,
        started_at=began.isoformat(timespec="seconds"),
    )


def sources_of(settings: Settings, collect: Callable[[], None] = lambda: None) -> Sources:
    """The services that the settings name."""
    return Sources(
        open_catalog(settings),
        KafkaLog(settings.kafka.address),
        registry(settings.registry.url),
        collect,
    )


def _versions() -> dict[str, str]:
    return {"millrace": millrace.__version__} | {name: version(name) for name in _LIBRARIES}


def _seed(settings: Settings) -> int | None:
    """The seed of the generated sample, where there is one."""
    try:
        seed: int = json.loads((settings.sample / "manifest.json").read_text())["seed"]
    except (OSError, ValueError, KeyError):
        return None
    return seed
