"""`millrace dbt` and `millrace sql` without a cluster: what they pass on, refuse and read."""

from __future__ import annotations

import io
import socket
from pathlib import Path

import pytest

from millrace.cli import dbt, sql
from millrace.errors import MillraceError
from millrace.settings import Service, Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A state folder without anything, and a port of Trino where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Settings(home=tmp_path)
    made.trino = Service(port=port)  # type: ignore[assignment]
    return made


def test_dbt_gets_its_folders_and_none_of_our_modules(settings: Settings) -> None:
    environment = dbt.dbt_environment(settings)
    assert environment["DBT_PROJECT_DIR"] == str(settings.root / "dbt_project")
    assert environment["DBT_TARGET_PATH"].startswith(str(settings.home))
    assert environment["MILLRACE_TRINO__PORT"] == str(settings.trino.port)
    assert "PYTHONPATH" not in environment


@pytest.mark.parametrize(
    ("words", "connects"),
    [
        (["build", "--select", "fact_sales"], True),
        (["--quiet", "show", "--inline", "select 1"], True),
        (["parse"], False),
        (["ls", "--resource-type", "model"], False),
        (["build", "--help"], False),
        (["--version"], False),
        ([], False),
    ],
)
def test_only_commands_that_query_need_trino(words: list[str], connects: bool) -> None:
    assert dbt.needs_trino(tuple(words)) is connects


def test_dbt_without_trino_is_refused_with_the_remedy(settings: Settings) -> None:
    with pytest.raises(MillraceError, match="no answer") as refused:
        dbt.probe_trino(settings)
    assert refused.value.remedy == "make up"


def test_sql_without_trino_is_refused_with_the_remedy(settings: Settings) -> None:
    with pytest.raises(MillraceError, match="no answer") as refused:
        sql.run(settings, sql.connect(settings), "select 1", as_csv=False)
    assert refused.value.remedy == "make up"


def test_statements_end_at_a_semicolon_that_ends_a_line() -> None:
    script = io.StringIO("select 1;\n\nselect ';' as semicolon\nfrom t;\n;\nselect 2\n")
    expected = ["select 1", "select ';' as semicolon\nfrom t", "select 2"]
    assert list(sql.statements(script)) == expected


def test_a_table_shows_values_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    sql.print_table(["name", "cents"], [["[bold]Ada[/bold]", 12], [None, 3]], 0.1)
    shown = capsys.readouterr().out
    assert "[bold]Ada[/bold]" in shown
    assert "2 rows in 0.1 s" in shown
    assert "None" not in shown
