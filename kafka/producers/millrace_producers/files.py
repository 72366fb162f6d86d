"""Rows of CSV, JSON-lines and Parquet files, each with its place for messages.

The extension says what a file claims to be, its first and last bytes whether it is. A row is a
mapping from column to value; what the values mean is not decided here.
"""

from __future__ import annotations

import csv
import decimal
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from millrace_producers.errors import FileError, RowError

PARQUET_MAGIC = b"PAR1"
#: First bytes of what people hand in by mistake, and the remedy.
FOREIGN = {
    b"\x1f\x8b": ("gzip-compressed", "gunzip {file}"),
    b"\x28\xb5\x2f\xfd": ("zstd-compressed", "unzstd {file}"),
    b"PK\x03\x04": (
        "a zip archive or an Excel workbook",
        "unzip {file}  # or save the workbook as CSV",
    ),
    PARQUET_MAGIC: ("Parquet", "mv {file} {stem}.parquet"),
    b"Obj\x01": ("an Avro file", "fastavro {file} > {stem}.jsonl"),
    b"\xff\xfe": ("UTF-16 text", "iconv -f UTF-16 -t UTF-8 {file} > utf8-{name}"),
}
#: Makes JSON lines of a JSON document, with what every machine that runs Millrace has.
TO_LINES = (
    "python3 -c 'import json, sys; d = json.load(sys.stdin);"
    " [print(json.dumps(r)) for r in (d if isinstance(d, list) else [d])]'"
)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NAME_ANOTHER = "name a file with at least one record"
#: Rows of Parquet in memory at a time.
PARQUET_ROWS = 2_000


class Row(NamedTuple):
    """A row and where it stands: `orders.csv:7`, or `orders.parquet row 7`."""

    place: str
    values: dict[str, Any]


class Source(NamedTuple):
    """A readable file. `is_text` says that every value is text (CSV)."""

    path: Path
    is_text: bool
    rows: Callable[[], Iterator[Row]]


def open_source(path: Path) -> Source:
    """The rows of a file, by its extension, after a look at its bytes.

    Raises:
        FileError: it can not be read, or is not what its name says.
    """
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise FileError(
            str(path),
            f"the extension '{path.suffix}' is none of {', '.join(KINDS)}",
            f"head -c 80 {path}  # see what it is: CSV with a header, JSON lines or Parquet",
        )
    head, tail = _ends(path)
    if not head:
        raise FileError(str(path), "it is empty", f"ls -l {path.parent}  # {NAME_ANOTHER}")
    if kind is read_parquet:
        if head != PARQUET_MAGIC or tail != PARQUET_MAGIC:
            cause = "it is no Parquet file, or one that was cut off: PAR1 is missing at an end"
            remedy = f"head -c 80 {path}  # see what it is, and give it that extension"
            raise FileError(str(path), cause, remedy)
    else:
        for magic, (what, remedy) in FOREIGN.items():
            if head.startswith(magic):
                shown = remedy.format(file=path, stem=path.with_suffix(""), name=path.name)
                raise FileError(str(path), f"it is {what}, not {path.suffix[1:]}", shown)
    return Source(path, kind is read_csv, lambda: kind(path))


def _ends(path: Path) -> tuple[bytes, bytes]:
    """The first and the last four bytes."""
    try:
        with path.open("rb") as stream:
            head = stream.read(len(PARQUET_MAGIC))
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - len(PARQUET_MAGIC)))
            return head, stream.read()
    except OSError as error:
        cause = error.strerror or str(error)
        raise FileError(str(path), cause, f"ls -l {path.parent}  # and name a file of it") from None


def read_csv(path: Path) -> Iterator[Row]:
    """Rows of a CSV file whose first line names the columns."""
    reader = csv.reader((text for _, text in _text_lines(path)), strict=True)
    header: list[str] | None = None
    first_line = 0
    try:
        for cells in reader:
            first_line, line = reader.line_num, first_line + 1
            if not cells:
                continue
            if header is None:
                header = _header(path, cells)
                continue
            if len(cells) != len(header):
                cause = f"it has {len(cells)} cells, the header has {len(header)}"
                remedy = 'put cells that hold a comma or a line end in double quotes: "a, b"'
                raise RowError(f"{path}:{line}", "", cause, remedy)
            yield Row(f"{path}:{line}", dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        remedy = 'close every quoted cell, and double the quotes within: "a ""b"" c"'
        raise RowError(f"{path}:{reader.line_num}", "", f"it is not CSV: {error}", remedy) from None


def _header(path: Path, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled or "" in names:
        what = f"has {', '.join(doubled)} twice" if doubled else "has a column without a name"
        raise RowError(f"{path}:1", "", f"the header {what}", "name each column once")
    return names


def read_json_lines(path: Path) -> Iterator[Row]:
    """Rows of a file with one JSON object a line; empty lines are skipped."""
    for line, text in _text_lines(path):
        if not text.strip():
            continue
        try:
            # Through a binary double a decimal would lose digits.
            values = json.loads(text, parse_float=decimal.Decimal, parse_constant=_refuse)
        except ValueError as error:
            raise _json_error(path, line, text, error) from None
        if not isinstance(values, dict):
            raise _json_error(path, line, text, ValueError("the line is no object"))
        yield Row(f"{path}:{line}", values)


def _refuse(name: str) -> NoReturn:
    """JSON has no NaN and no Infinity, though Python reads them."""
    raise ValueError(f"{name} is no JSON value")


def _json_error(path: Path, line: int, text: str, error: ValueError) -> RowError:
    why = str(error)
    if isinstance(error, json.JSONDecodeError):
        why = f"{error.msg.removesuffix(' starting at')}, column {error.colno}"
    place, cause = f"{path}:{line}", f"it is not one JSON object: {why}"
    if line == 1 and (text.lstrip().startswith("[") or text.strip() == "{"):
        # One document over several lines, which is what most programs write.
        return RowError(
            place, "", cause, f"{TO_LINES} < {path} > lines-{path.stem}.jsonl", "command"
        )
    return RowError(place, "", cause, 'write one object a line: {"field": "value"}')


def _text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without a byte order mark.

    Raises:
        RowError: a line is not UTF-8 or holds a zero byte.
    """
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, start=1):
            data = raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw
            try:
                text = data.decode()
            except UnicodeDecodeError as error:
                cause = f"it is not UTF-8 (byte {data[error.start]:#04x} at {error.start + 1})"
                remedy = f"iconv -f WINDOWS-1252 -t UTF-8 {path} > utf8-{path.name}"
                raise RowError(f"{path}:{number}", "", cause, remedy, "command") from None
            if "\0" in text:
                remedy = f"file {path}  # see what it is"
                raise RowError(f"{path}:{number}", "", "it is binary, not text", remedy, "command")
            yield number, text


def read_parquet(path: Path) -> Iterator[Row]:
    """Rows of a Parquet file, counted from 1."""
    import pyarrow as pa  # noqa: PLC0415 (0.2 s that the text formats need not pay)
    import pyarrow.parquet as pq  # noqa: PLC0415

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=PARQUET_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"{path} row {number}", values)
    except (pa.ArrowException, OSError, ValueError) as error:
        cause = f"it can not be read as Parquet after row {number}: {error}"
        raise FileError(
            str(path), cause, f"ls -l {path}  # write it again, or send it as JSON lines"
        ) from None


KINDS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".csv": read_csv,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json_lines,
    ".parquet": read_parquet,
}
