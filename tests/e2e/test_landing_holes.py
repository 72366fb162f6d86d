"""The holes of the usual way that need the broker, the metastore or Trino to show.

Those of the driver alone are in tests/unit/landing/test_holes.py, that of Spark's checkpoint in
test_landing_checkpoint.py. Datasets of their own, which the cluster's landing application does not
see, are landed by this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from trino.dbapi import connect

from millrace.contracts import load_contracts
from millrace.contracts.names import QUARANTINE_TABLE
from millrace.lake import catalog
from millrace.landing.errors import (
    OffsetsAgedOutError,
    OffsetsLostError,
    TakenOverError,
    TopicRecreatedError,
)
from millrace.landing.rebuild import plan_rebuilds
from millrace.landing.reset import reset_offsets
from millrace.landing.status import measure
from millrace.settings import Settings
from tests.e2e.plain_landing import PlainLanding, at, send, write_contract

HOLES = ("aborted", "agedout", "anew", "cut", "rolledback", "died", "waiting")
GOOD, BAD = b'{"page": "p"}', b"{}"
Hole = Callable[[str], PlainLanding]


@pytest.fixture(scope="module")
def hole(
    cluster: Settings, millrace: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hole]:
    """A dataset for each hole, applied beside the cluster's own contracts."""
    folder = tmp_path_factory.mktemp("contracts")
    for name in HOLES:
        write_contract(folder, name)
    millrace("apply", environment={"MILLRACE_CONTRACTS": str(folder)})
    contracts = load_contracts(folder)
    yield lambda name: PlainLanding(cluster, contracts[f"hole_{name}"])
    for contract in contracts.values():
        catalog(cluster).drop_table(contract.raw_table)


def test_aborted_records_never_land_and_an_open_transaction_is_waited_for(hole: Hole) -> None:
    landing = hole("aborted")
    ended = landing.producer(**{"transactional.id": "ended"})
    ended.init_transactions()
    for end in (ended.commit_transaction, ended.abort_transaction, ended.commit_transaction):
        ended.begin_transaction()
        send(ended, landing.topic, [GOOD, GOOD])  # each ends with a marker: offsets 2, 5 and 8
        end()
    pending = landing.producer(**{"transactional.id": "pending"})
    pending.init_transactions()
    pending.begin_transaction()
    send(pending, landing.topic, [GOOD, BAD])
    landing.produce(GOOD)

    lander = landing.land()
    assert landing.landed() == at(0, 1, 6, 7)
    assert lander.starts[landing.topic] == {0: 9, 1: 0}
    pending.commit_transaction()
    landing.land(lander)
    assert landing.landed() == at(0, 1, 6, 7, 9, 11)
    assert landing.landed(QUARANTINE_TABLE) == at(10)
    (status,) = measure(landing.catalog, landing.broker, [landing.contract])
    assert (status.behind, status.problems) == (0, ())


def test_offsets_that_aged_out_while_nothing_landed_stop_the_start(hole: Hole) -> None:
    landing = hole("agedout")
    landing.produce(*[GOOD] * 10)
    landing.land(up_to=4)
    landing.delete_records(before=7)
    with pytest.raises(OffsetsAgedOutError, match="offsets 4 to 6 of partition 0"):
        landing.driver()
    (status,) = measure(landing.catalog, landing.broker, [landing.contract])
    assert [each.remedy for each in status.problems] == ["bin/millrace landing reset hole_agedout"]
    assert status.behind == 3
    assert 0 < status.behind_s < 600
    reset_offsets(landing.catalog, landing.contract, landing.broker)
    landing.land()
    assert landing.landed() == at(0, 1, 2, 3, 7, 8, 9)


def test_a_record_that_waits_for_half_of_its_retention_is_warned_of(
    hole: Hole, eventually: Any
) -> None:
    landing = hole("waiting")
    landing.produce(GOOD)

    def problems() -> list[str]:
        (status,) = measure(landing.catalog, landing.broker, [landing.contract])
        return [each.text for each in status.problems]

    assert problems() == []
    landing.keep_records_for(2)
    eventually(lambda: "keeps records for 2.0 s" in " ".join(problems()), 30, "it is warned of")


def test_a_topic_made_anew_is_noticed_though_its_offsets_have_refilled(hole: Hole) -> None:
    landing = hole("anew")
    landing.produce(GOOD, BAD, GOOD)
    running = landing.land()
    landing.make_topic_anew()
    landing.produce(*[GOOD] * 4, BAD)
    with pytest.raises(TopicRecreatedError):
        landing.land(running)
    with pytest.raises(TopicRecreatedError):
        landing.driver()
    assert landing.landed() == at(0, 2)
    reset_offsets(landing.catalog, landing.contract, landing.broker)
    landing.land()
    assert landing.landed() == at(0, 0, 1, 2, 2, 3)
    assert landing.landed(QUARANTINE_TABLE) == at(1, 4)


def trino(settings: Settings, statement: str) -> list[list[Any]]:
    """Run a statement that may expire snapshots at once."""
    connection = connect(  # type: ignore[no-untyped-call]
        host=settings.trino.host,
        port=settings.trino.port,
        user="tester",
        catalog="iceberg",
        session_properties={"iceberg.expire_snapshots_min_retention": "0s"},
    )
    cursor = connection.cursor()
    cursor.execute(statement)
    return [list(row) for row in cursor.fetchall()]


def test_an_ancestry_that_trino_cut_stops_the_start_until_the_offsets_are_rebuilt(
    cluster: Settings, hole: Hole
) -> None:
    landing = hole("cut")
    landing.produce(GOOD, GOOD, BAD, GOOD)
    landing.land(up_to=2)
    lander = landing.land()
    table = landing.contract.raw_table
    trino(cluster, f"ALTER TABLE {table} EXECUTE optimize")
    landing.produce(GOOD)
    landing.land(lander)  # a compaction alone is no trouble
    trino(cluster, f"ALTER TABLE {table} EXECUTE optimize")
    trino(cluster, f"ALTER TABLE {table} EXECUTE expire_snapshots(retention_threshold => '0s')")
    landing.produce(GOOD, BAD)
    with pytest.raises(OffsetsLostError):
        landing.driver()
    planned = plan_rebuilds(landing.catalog, landing.broker, [landing.contract], (), print)
    (needed,) = [each for each in planned if each.is_needed]
    assert [(each.partition, each.rebuilt) for each in needed.changes] == [(0, 5)]
    needed.apply()
    landing.land()
    assert landing.landed() == at(0, 1, 3, 4, 5)
    assert landing.landed(QUARANTINE_TABLE) == at(2, 6)


def test_a_table_that_trino_rolled_back_is_landed_again_once(cluster: Settings, hole: Hole) -> None:
    landing = hole("rolledback")
    landing.produce(GOOD, BAD, GOOD, BAD, GOOD)
    landing.land(up_to=2)
    first = landing.catalog.load_table(landing.contract.raw_table).current_snapshot()
    assert first is not None
    running = landing.land()
    rollback = f"rollback_to_snapshot({first.snapshot_id})"
    trino(cluster, f"ALTER TABLE {landing.contract.raw_table} EXECUTE {rollback}")
    assert landing.landed() == at(0)
    landing.produce(GOOD)
    with pytest.raises(TakenOverError):
        landing.land(running)
    landing.land()
    assert landing.landed() == at(0, 2, 4, 5)
    assert landing.landed(QUARANTINE_TABLE) == at(1, 3)


def test_a_contract_corrected_after_a_crash_between_the_commits_doubles_nothing(
    hole: Hole, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = hole("died")
    landing.produce(GOOD, BAD, GOOD)
    dying = landing.driver()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dying, "_commit_raw", die)
    with pytest.raises(KeyboardInterrupt):
        landing.land(dying)
    assert (landing.landed(), landing.landed(QUARANTINE_TABLE)) == ([], at(1))
    fields = tuple(replace(each, required=False) for each in landing.contract.fields)
    landing.contract = replace(landing.contract, fields=fields)
    landing.produce(BAD)
    landing.land()
    assert landing.landed() == at(0, 2, 3)
    assert landing.landed(QUARANTINE_TABLE) == at(1)
