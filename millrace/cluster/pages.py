"""Where every web page of a running cluster is, and how to log in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from millrace.settings import Settings


@dataclass(frozen=True)
class Page:
    """A web page or an address for a client. The password is a file, never printed."""

    service: str
    title: str
    url: str
    login: str = ""


def pages(settings: Settings, services: Collection[str]) -> list[Page]:
    """The pages of the given services."""
    secrets = settings.secrets
    known = [
        Page(
            "airflow-apiserver",
            "Airflow",
            settings.airflow.url,
            f"user admin, password in {secrets / 'airflow-admin-password'}",
        ),
        Page("trino", "Trino", f"{settings.trino.url}/ui/", "any user name"),
        Page("namenode", "HDFS", f"{settings.namenode.web_url}/explorer.html#/data"),
        Page("resourcemanager", "YARN", f"{settings.resourcemanager.web_url}/cluster"),
        Page("registry", "Schema registry", f"{settings.registry.url}/apis/ccompat/v7/subjects"),
        Page("kafka", "Kafka", settings.kafka.address),
        Page("metastore", "Metastore", settings.metastore.uri),
        Page(
            "objectstore",
            "Object store",
            settings.objectstore.url,
            f"keys in {secrets / 'aws-credentials'}",
        ),
        Page(
            "postgres",
            "PostgreSQL",
            f"postgresql://postgres@{settings.postgres.address}/postgres",
            f"password in {secrets / 'postgres-password'}",
        ),
        Page("history-server", "Spark history", settings.history.url),
    ]
    return [page for page in known if page.service in services]
