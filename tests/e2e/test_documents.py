"""The commands of the documents, extracted and run; every link leads somewhere."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from millrace.settings import Settings
from tests.e2e.paste import paste

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "docs/quickstart.md")
COOKBOOK = ROOT / "docs" / "cookbooks" / "add-a-dataset.md"
#: Run by another test, or running this one.
ELSEWHERE = {
    "make demo": "tests/e2e/test_demo.py",
    "make test": "is running this test",
    "make verify": "tests/e2e/test_sabotage.py",
}


def commands() -> list[str]:
    """Each command of the documents' shell blocks, once."""
    found = []
    for document in DOCUMENTS:
        blocks = re.findall(r"```sh\n(.*?)```", (ROOT / document).read_text(), flags=re.DOTALL)
        found += [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return list(dict.fromkeys(line for line in found if line))


def test_the_two_commands_are_the_first_ones() -> None:
    assert commands()[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("command", [line for line in commands() if line not in ELSEWHERE])
def test_a_documented_command_works(cluster: Settings, command: str) -> None:
    assert paste(command).strip(), f"{command} prints nothing"


def test_the_cookbook_leads_from_a_contract_to_a_row(cluster: Settings) -> None:
    recipe = COOKBOOK.read_text()
    blocks = re.findall(r"^ *```(\w+)\n(.*?)^ *```", recipe, flags=re.DOTALL | re.MULTILINE)
    assert [language for language, _ in blocks] == ["yaml", "sh", "sh"]
    contract, *steps = (textwrap.dedent(block) for _, block in blocks)
    named = re.search(r"`contracts/(\w+\.yaml)`", recipe)
    assert named
    # The tests' own folder of contracts, where a reader has the repository's.
    file = cluster.contracts / named.group(1)
    file.write_text(contract)
    try:
        said = [paste(step) for step in steps]
    finally:
        file.unlink()  # its processed table is not built: the next gate would say so
    assert "4.5" in said[-1]


def test_every_make_target_named_in_a_document_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    named = {
        (document.name, target)
        for document in documents
        for target in re.findall(r"[`\n ]make ([a-z-]+)", document.read_text())
        # In running text "make" is also an English verb: only code counts.
        if f"`make {target}" in document.read_text() or f"\nmake {target}" in document.read_text()
    }
    assert {(name, target) for name, target in named if target not in targets} == set()


def test_every_link_between_the_documents_leads_to_a_file() -> None:
    broken = []
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
            if "://" not in link and not (document.parent / link).exists():
                broken.append(f"{document.relative_to(ROOT)}: {link}")
    assert not broken
