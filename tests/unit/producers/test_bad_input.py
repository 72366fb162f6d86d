"""What a user is told when a file, an argument or a service is not as it should be."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from millrace_producers import client

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"
HEADER = "location_id,name,city,country,kind,opened_date,updated_at\n"
GOOD = "L001,Here,Here,DE,store,2020-01-01,2026-05-04T10:30:00Z\n"
JSON = (
    '{"location_id":"L001","name":"Here","city":"Here","country":"DE","kind":"store",'
    '"updated_at":"2026-05-04T10:30:00Z"}\n'
)
#: golden file -> name and content of the file that is handed in
FILES: dict[str, tuple[str, bytes]] = {
    "produce_missing_value": (
        "in.csv",
        (HEADER + GOOD + GOOD.replace("Here,Here", "Here,")).encode(),
    ),
    "produce_wrong_type": ("in.csv", (HEADER + GOOD.replace("2020-01-01", "soon")).encode()),
    "produce_unknown_column": ("in.csv", (HEADER + GOOD).replace("city", "town").encode()),
    "produce_not_allowed": ("in.csv", (HEADER + GOOD.replace("store", "moon")).encode()),
    "produce_bad_format": ("in.csv", (HEADER + GOOD.replace("L001", "1")).encode()),
    "produce_ragged_row": ("in.csv", (HEADER + GOOD.replace("Here", "Here, there", 1)).encode()),
    "produce_open_quote": ("in.csv", (HEADER + GOOD + GOOD.replace("Here", '"Here', 1)).encode()),
    "produce_doubled_column": ("in.csv", HEADER.replace("city", "name").encode()),
    "produce_not_utf8": ("in.csv", (HEADER + GOOD.replace("Here", "Café")).encode("latin-1")),
    "produce_only_a_header": ("in.csv", HEADER.encode()),
    "produce_empty_file": ("in.csv", b""),
    "produce_compressed": ("in.csv", gzip.compress(HEADER.encode(), mtime=0)),
    "produce_json_array": ("in.jsonl", f"[{JSON}]".encode()),
    "produce_missing_column": (
        "in.csv",
        (HEADER + GOOD).replace("city,", "").replace("Here,Here", "Here").encode(),
    ),
    "produce_torn_json": ("in.jsonl", (JSON + JSON[:40]).encode()),
    "produce_csv_named_json": ("in.jsonl", (HEADER + GOOD).encode()),
    "produce_csv_named_parquet": ("in.parquet", (HEADER + GOOD).encode()),
    "produce_parquet_named_csv": ("in.csv", b"PAR1" + bytes(64) + b"PAR1"),
    "produce_unknown_extension": ("in.xlsx", b"PK\x03\x04"),
}


def expect_words(golden: str, error: str) -> None:
    assert error == (GOLDEN / f"{golden}.txt").read_text()


@pytest.mark.parametrize("golden", FILES)
def test_a_file_with_a_fault_is_refused_in_these_words(golden: str, tmp_path: Path, cli) -> None:
    name, content = FILES[golden]
    (tmp_path / name).write_bytes(content)
    code, out, error = cli("produce", "locations", "--from", name)
    assert (code, out) == (1, "")
    expect_words(golden, error)
    assert not (tmp_path / "home" / "ledger").exists()


@pytest.mark.parametrize(
    ("golden", "arguments"),
    [
        ("produce_no_such_file", ("produce", "locations", "--from", "none.csv")),
        ("produce_unknown_dataset", ("produce", "location", "--from", "none.csv")),
        ("publish_without_sample", ("publish-sample",)),
        ("publish_unknown_dataset", ("publish-sample", "order")),
    ],
)
def test_a_wrong_argument_is_refused_in_these_words(
    golden: str, arguments: tuple[str, ...], cli
) -> None:
    code, out, error = cli(*arguments)
    assert (code, out) == (1, "")
    expect_words(golden, error)


def test_a_dead_broker_is_named_with_its_remedy(
    tmp_path: Path, cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_SECONDS", 1)
    (tmp_path / "in.csv").write_text(HEADER + GOOD)
    code, out, error = cli("produce", "locations", "--from", "in.csv")
    assert (code, out) == (1, "")
    expect_words("produce_dead_broker", error)
    code, _, error = cli("consume", "locations")
    assert code == 1
    assert "Kafka at 127.0.0.1:9: the broker does not answer ([Errno 111]" in error
    assert "Traceback" not in error


def test_a_dead_registry_is_named_with_its_remedy(cli) -> None:
    assert cli("generate-data", "--customers", "20", "--products", "5", "--orders", "20")[0] == 0
    code, out, error = cli("publish-sample")
    assert (code, out) == (1, "")
    expect_words("produce_dead_registry", error)
    code, out, error = cli("produce-continuously", "--duration", "1")
    assert code == 1
    assert "schema registry at 127.0.0.1:9" in error


def test_a_share_of_bad_records_is_a_share(cli) -> None:
    code, _, error = cli("generate-data", "--bad", "lots")
    assert code == 2
    assert "'lots' is no share such as 0.5% or 0.005" in error


@pytest.mark.parametrize(
    ("golden", "line"),
    [
        ("ledger_no_line", "{]"),
        ("ledger_no_intent", '{"o":500,"s":"acknowledged","p":0,"f":1}'),
        ("ledger_no_value", '{"i":1,"dataset":"orders"}'),
    ],
)
def test_a_damaged_ledger_is_named_with_its_line(
    golden: str, line: str, tmp_path: Path, cli
) -> None:
    run = tmp_path / "home" / "ledger" / "20261121T160714.123456Z-7-abcdef.jsonl"
    run.parent.mkdir(parents=True)
    run.write_text(f'{{"i":0,"dataset":"orders","topic":"orders","sha256":"00"}}\n{line}\n')
    code, out, error = cli("ledger")
    assert (code, out) == (1, "")
    expect_words(golden, error)


def test_a_ledger_without_a_run_says_how_to_make_one(cli) -> None:
    code, out, _ = cli("ledger")
    assert code == 0
    assert "bin/millrace publish-sample" in out
