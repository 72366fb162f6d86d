"""Datasets grow: a field added to a contract, and a dataset of one's own, without Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from millrace.settings import Settings

Query = Callable[[str], list[list[Any]]]

LOCATION = {
    "location_id": "L900",
    "name": "Harbour Store",
    "city": "Hamburg",
    "country": "DE",
    "kind": "store",
    "opened_date": "2020-05-01",
    "updated_at": "2026-01-01T08:00:00Z",
}

READINGS = """apiVersion: v3.2.0
kind: DataContract
id: readings
version: 1.0.0
status: active
description:
  purpose: Temperatures of the cold store.
team:
  name: facilities
schema:
  - name: readings
    properties:
      - name: sensor_id
        logicalType: string
        primaryKey: true
        description: Which sensor.
      - name: read_at
        logicalType: timestamp
        required: true
        description: When it was read.
      - name: celsius
        logicalType: number
        required: true
        description: Degrees.
"""


def test_a_field_added_to_a_contract_flows_through(
    cluster: Settings, millrace: Any, query: Query, tmp_path: Path
) -> None:
    """Old records stay readable with a null, new ones carry the field, with nothing restarted."""
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.write_text(json.dumps(LOCATION) + "\n")
    new.write_text(json.dumps({**LOCATION, "location_id": "L901", "manager": "A. Keeper"}) + "\n")
    millrace("landing", "start")
    millrace("produce", "locations", "--from", str(old))
    millrace("landing", "wait", "--timeout", "180")

    path = cluster.contracts / "locations.yaml"
    contract = yaml.safe_load(path.read_text())
    contract["schema"][0]["properties"].append(
        {"name": "manager", "logicalType": "string", "description": "Who runs it."}
    )
    contract["version"] = "1.1.0"
    path.write_text(yaml.safe_dump(contract, sort_keys=False))

    assert "manager" in millrace("plan").stdout
    millrace("apply")
    millrace("produce", "locations", "--from", str(new))
    millrace("landing", "wait", "--timeout", "180")
    rows = query(
        "select location_id, manager from raw.locations"
        " where location_id in ('L900', 'L901') group by 1, 2 order by 1"
    )
    assert rows == [["L900", None], ["L901", "A. Keeper"]]


def test_a_new_contract_lands_a_csv_file(
    cluster: Settings, millrace: Any, query: Query, tmp_path: Path
) -> None:
    (cluster.contracts / "readings.yaml").write_text(READINGS)
    csv = tmp_path / "readings.csv"
    rows = [f"s{n % 3},2026-01-01T00:{n:02d}:00Z,{n / 10}" for n in range(50)]
    csv.write_text("\n".join(["sensor_id,read_at,celsius", *rows]) + "\n")
    millrace("landing", "start")
    millrace("apply")
    millrace("produce", "readings", "--from", str(csv))
    millrace("landing", "wait", "--timeout", "180")
    assert query("select count(*), max(celsius) from raw.readings") == [[50, 4.9]]
