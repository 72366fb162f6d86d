"""What a storm draws: the same from the same seed, and every blow there is."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from millrace.chaos.evidence import Witness
from millrace.chaos.faults import storm
from millrace.chaos.faults.storm import MOMENTS, OTHERS, OWN_MOMENTS, SERVICES, Blow, Storm, draw
from millrace.cluster.compose import active_services, read_compose
from millrace.environment import cluster_environment
from millrace.settings import Settings

ROOT = Path(__file__).resolve().parents[3]


def blows(seed: int, number: int) -> list[Blow]:
    return list(islice(draw(random.Random(seed)), number))  # noqa: S311 - made again from its seed


def test_a_seed_draws_the_same_storm_again_and_another_seed_another() -> None:
    assert blows(1, 50) == blows(1, 50)
    assert blows(1, 50) != blows(2, 50)


def test_a_long_storm_hits_everything_at_every_moment() -> None:
    drawn = blows(3, 1_000)
    assert {blow.what for blow in drawn} == set(SERVICES | OTHERS)
    assert {blow.moment for blow in drawn if blow.what == "kafka"} == set(MOMENTS)


def test_a_call_and_a_reply_are_cut_where_they_are_held() -> None:
    for blow in blows(4, 500):
        assert blow.moment == OWN_MOMENTS.get(blow.what, blow.moment)


def test_a_storm_hits_services_that_are_there() -> None:
    variables = cluster_environment(Settings())
    compose = read_compose(ROOT / "docker-compose.yml", variables)
    assert set(SERVICES) <= set(active_services(compose, ()))


def test_seeds_that_failed_once_blow_before_the_one_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blown: list[int] = []

    def blow(self: Storm, world: Any, witness: Witness, seed: int) -> Counter[str]:
        blown.append(seed)
        return Counter({"kafka": 2})

    monkeypatch.setattr(storm, "KEPT_SEEDS", (17, 4))
    monkeypatch.setattr(Storm, "_blow", blow)
    world: Any = SimpleNamespace(seed=9, storm_minutes=1.0, say=lambda text: None)
    witness = Witness(lambda: None)  # type: ignore[arg-type, return-value]
    Storm().strike(world, witness)
    assert blown == [17, 4, 9]
    assert witness.observations[-1].after == "kafka 6"
