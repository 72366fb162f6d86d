"""Generate the sample, write it to its folder, and read it back.

Each file is written whole beside its name and then renamed, the manifest last, so a folder with a
manifest is complete.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from millrace.contracts import Contract, find
from millrace.errors import MillraceError
from millrace.landing.reasons import Reason
from millrace_producers.encoding import Record, record_key, to_json
from millrace_producers.sample.bad import BadRecord, plant
from millrace_producers.sample.calendar import END, START
from millrace_producers.sample.entities import (
    Names,
    make_customers,
    make_locations,
    make_products,
)
from millrace_producers.sample.orders import Shop, make_orders
from millrace_producers.values import row_parser

DATASETS = ("customers", "products", "locations", "orders")
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Sizes:
    """How much of what is generated. `bad` is bad records for each good one."""

    customers: int = 1_000
    products: int = 200
    locations: int = 50
    orders: int = 10_000
    seed: int = 42
    bad: float = 0.005


def generate_shop(sizes: Sizes) -> tuple[Shop, Names]:
    """The shop with its customers, products and locations.

    Each part has randomness of its own, so that more orders leave the customers as they are.
    """
    names = Names(str(sizes.seed))
    locations = make_locations(_random(sizes, "locations"), names, sizes.locations)
    products = make_products(_random(sizes, "products"), sizes.products)
    customers = make_customers(_random(sizes, "customers"), names, sizes.customers)
    return Shop(_random(sizes, "shop"), customers, products, locations), names


def generate_records(sizes: Sizes) -> dict[str, list[Record]]:
    """The good records of each dataset in event order."""
    shop, _ = generate_shop(sizes)
    orders = make_orders(_random(sizes, "orders"), shop, sizes.orders)
    histories = (shop.customers, shop.products, shop.locations, orders)
    return {
        dataset: _in_event_order(each) for dataset, each in zip(DATASETS, histories, strict=True)
    }


def _in_event_order(histories: Any) -> list[Record]:
    states = [state for history in histories for state in history]
    return sorted(states, key=lambda state: state["updated_at"])  # stable: ids break ties


def write_sample(sizes: Sizes, contracts: Mapping[str, Contract], folder: Path) -> dict[str, Any]:
    """Write every dataset with its bad records. Returns the manifest."""
    chosen = {dataset: find(dataset, contracts) for dataset in DATASETS}
    _make_folder(folder)
    numbers = {}
    for dataset, records in generate_records(sizes).items():
        contract = chosen[dataset]
        bad_records = plant(contract, records, sizes.bad, _random(sizes, f"bad/{dataset}"))
        _write(folder / f"{dataset}.jsonl", map(to_json, records))
        _write(folder / f"{dataset}.bad.jsonl", (to_json(bad._asdict()) for bad in bad_records))
        numbers[dataset] = {
            "records": len(records),
            "entities": len({record_key(contract, record) for record in records}),
            "bad": dict(sorted(Counter(str(bad.reason) for bad in bad_records).items())),
        }
    manifest = {
        **asdict(sizes),
        "start": START.isoformat(),
        "end": END.isoformat(),
        "datasets": numbers,
    }
    _write(folder / MANIFEST, [json.dumps(manifest, indent=2)])
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a generated sample.

    Raises:
        MillraceError: there is none.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        return manifest
    except (FileNotFoundError, ValueError) as error:
        cause = f"{folder / MANIFEST} is missing or damaged"
        raise MillraceError("sample data", cause, "make generate-data") from error


def read_sample(folder: Path, contract: Contract) -> Iterator[Record | BadRecord]:
    """The records of a dataset, good and bad, in the order they are sent."""
    parse = row_parser(contract.fields)
    bad_records = [
        BadRecord(line["before"], Reason(line["reason"]), parse(line["value"]))
        for line in _read(folder / f"{contract.dataset}.bad.jsonl")
    ]
    waiting = iter(bad_records)
    bad = next(waiting, None)
    for index, line in enumerate(_read(folder / f"{contract.dataset}.jsonl")):
        while bad is not None and bad.before <= index:
            yield bad
            bad = next(waiting, None)
        yield parse(line)


def _read(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def _write(file: Path, lines: Any) -> None:
    beside = file.with_name(f".{file.name}.new")
    with beside.open("w", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in lines)
    beside.replace(file)


def _make_folder(folder: Path) -> None:
    """An empty folder: what an earlier run generated is taken away, the manifest first."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _random(sizes: Sizes, part: str) -> random.Random:
    # A text seed is hashed with SHA-512: the same numbers in every Python and on every machine.
    return random.Random(f"{sizes.seed}/{part}")
