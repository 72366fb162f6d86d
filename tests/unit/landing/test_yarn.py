"""What the landing application is given when it is submitted."""

from __future__ import annotations

from pathlib import Path

from millrace.landing.yarn import addresses
from millrace.settings import Settings

GIVEN = {"MILLRACE_METASTORE__PORT": "9999", "MILLRACE_NOTIFY__URL": "http://secret", "HOME": "/"}


def test_the_application_dials_what_its_starter_was_given(tmp_path: Path) -> None:
    assert addresses(Settings(home=tmp_path), GIVEN) == {
        "spark.yarn.appMasterEnv.MILLRACE_METASTORE__PORT": "9999",
        "spark.executorEnv.MILLRACE_METASTORE__PORT": "9999",
    }


def test_among_containers_the_application_keeps_the_clusters_addresses(tmp_path: Path) -> None:
    (tmp_path / "runtime").write_text("docker\n")
    assert addresses(Settings(home=tmp_path), GIVEN) == {}
