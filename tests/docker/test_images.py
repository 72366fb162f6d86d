"""What is in the images, and what is not: no root, no secret, no tool that built them."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from millrace.cluster.docker.engine import ask, client

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference" / "images.md"
MEGABYTE = 1_000_000
#: A documented size may be off by this part of it.
TOLERANCE = 0.1
#: Wherever they stand, not on PATH alone.
TOOLS = ("mvn", "javac", "go", "gcc", "cc", "make", "git", "uv", "curl", "wget", "pip*", "wheel")
PACKAGES = ("pip", "setuptools", "wheel", "pkg_resources")
CACHES = ("/root/.m2", "/root/.cache", "/root/go", "/out", "/opt/millrace/distribution")
FILLED = ("/var/lib/apt/lists", "/var/cache/apt", "/tmp")
LABELS = ("title", "version", "revision", "licenses")


@pytest.fixture(scope="module")
def inspected(images: list[str]) -> dict[str, dict[str, Any]]:
    """Image to what the engine knows of it."""
    assert len(images) >= 10
    documents = json.loads(ask("image", "inspect", *images))
    return dict(zip(images, documents, strict=True))


def test_an_image_starts_as_its_own_user(inspected: dict[str, dict[str, Any]]) -> None:
    assert {each["Config"]["User"] for each in inspected.values()} == {"10001:10001"}


def test_an_image_says_what_it_was_made_from(inspected: dict[str, dict[str, Any]]) -> None:
    for image, document in inspected.items():
        labels = document["Config"]["Labels"] or {}
        values = [labels.get(f"org.opencontainers.image.{label}") for label in LABELS]
        assert all(values), f"{image}: {labels}"
        assert re.fullmatch(r"[0-9a-f]{40}", str(values[2])), f"{image}: {values[2]}"


def test_no_image_has_a_build_tool_or_a_cache(images: list[str]) -> None:
    tools, packages = (
        f"\\( -name {' -o -name '.join(map(repr, names))} \\)" for names in (TOOLS, PACKAGES)
    )
    script = (
        f"find / -xdev -perm /111 ! -type d {tools};"
        f"find / -xdev -path '*/site-packages/*' -prune {packages};"
        f"for folder in {' '.join(CACHES)}; do ls -d $folder 2>/dev/null; done;"
        f"find {' '.join(FILLED)} -type f 2>/dev/null; true"
    )
    for image in images:
        found = ask("run", "--rm", "--user", "0", "--network", "none", image, "bash", "-c", script)
        assert found.split() == [], f"{image}: {found}"


def test_no_history_and_no_setting_holds_a_secret(inspected: dict[str, dict[str, Any]]) -> None:
    telling = re.compile(
        r"(?i)(password|passwd|secret|token|credential)[^ =]*=\S|://[^/ ]+:[^/ ]+@"
    )
    for image, document in inspected.items():
        assert not [value for value in document["Config"]["Env"] if telling.search(value)], image
        history = ask("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
        assert not telling.findall(history), image
        for value in build_secrets():
            assert value not in history.encode()


def build_secrets() -> list[bytes]:
    """A line of each text that was given to the builds of this machine as a secret."""
    texts = [text for name, text in os.environ.items() if name.startswith("MILLRACE_BUILD_")]
    # The middle of a certificate: its first lines are those of many others.
    lines = [[line for line in text.splitlines() if len(line) > 20] for text in texts]
    return [each[len(each) // 2].encode() for each in lines if each]


def test_no_layer_holds_a_build_secret(images: list[str]) -> None:
    """Every layer of every image, as `docker save` gives them; a file that was removed counts."""
    secrets = build_secrets()
    assert len(secrets) >= 2, "run the tests by `make test-docker`, which plants some"
    # A line of a file that every image has: what is not found there is not found at all.
    control = (ROOT / "scripts" / "launch").read_bytes().splitlines()[1]
    found, layers = set(), 0
    with (
        subprocess.Popen([client(), "save", *images], stdout=subprocess.PIPE) as stream,
        tarfile.open(fileobj=stream.stdout, mode="r|") as saved,
    ):
        for member in saved:
            if member.isfile() and member.size > 0 and (file := saved.extractfile(member)):
                layers += 1
                for text in pieces(file):
                    found |= {each for each in (control, *secrets) if each in text}
    assert stream.returncode == 0
    assert layers > len(images)
    assert found == {control}


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """The text of a layer in overlapping pieces; some engines save their layers compressed."""
    first = file.read(2)
    compressed = first == b"\x1f\x8b"
    source = gzip.GzipFile(fileobj=Rejoined(first, file)) if compressed else Rejoined(first, file)
    tail = b""
    while chunk := source.read(4 * MEGABYTE):
        yield tail + chunk
        tail = chunk[-4096:]


class Rejoined:
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, rest: IO[bytes]) -> None:
        self.first = first
        self.rest = rest

    def read(self, size: int = -1) -> bytes:
        first, self.first = self.first, b""
        return first + self.rest.read(size)


def documented() -> dict[str, int]:
    """Image to megabytes, from the table of the reference."""
    rows = re.findall(r"^\| `millrace/([\w-]+)` *\|(.*)\|$", REFERENCE.read_text(), re.MULTILINE)
    sizes = {name: re.search(r"([\d,]+) MB", cells) for name, cells in rows}
    return {name: int(size[1].replace(",", "")) for name, size in sizes.items() if size}


def test_documented_sizes_are_those_of_the_images(inspected: dict[str, dict[str, Any]]) -> None:
    sizes = {
        image.removeprefix("millrace/").partition(":")[0]: document["Size"] / MEGABYTE
        for image, document in inspected.items()
    }
    told = documented()
    assert set(sizes) <= set(told)
    off = {
        name: f"{size:.0f} MB, documented as {told[name]}"
        for name, size in sizes.items()
        if abs(size - told[name]) > TOLERANCE * told[name]
    }
    assert not off
