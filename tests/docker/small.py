"""A cluster of three small containers, for tests of the runtime that need no image of ours."""

from __future__ import annotations

import os
from pathlib import Path

from millrace.settings import ROOT, Settings

#: Every image of ours is made from it, so a machine that runs these tests has it.
IMAGE = "debian:bookworm-slim"
#: Two runs of the tests on one machine do not meet; below Linux's ephemeral range.
PORT = 28_100 + os.getpid() % 500
NAME = f"small-{os.getpid()}"

COMPOSE = """
x-base: &base
  image: {image}
  pull_policy: never
  labels: &labels {{ dev.millrace.tests: "yes" }}
  init: true
  stop_grace_period: 2s
services:
  secrets:
    <<: *base
    command: [bash, -c, "umask 077; cd /var/lib/millrace/secrets; echo {password} > a-password"]
    volumes: [secrets:/var/lib/millrace/secrets]
    restart: on-failure
  trino:
    <<: *base
    command: [bash, -c, "{trino}"]
    restart: unless-stopped
    ports: ["127.0.0.1:${{MILLRACE_TRINO__PORT:-8081}}:${{MILLRACE_TRINO__PORT:-8081}}"]
    volumes: ["./contracts:/opt/millrace/contracts:ro"]
    depends_on: {{ secrets: {{ condition: service_completed_successfully }} }}
    healthcheck: {{ test: [CMD, test, -e, /tmp/ready], interval: 1s, timeout: 5s, retries: 7 }}
  airflow-scheduler:
    <<: *base
    command: [bash, -c, "touch /tmp/ready; exec sleep 1000"]
    restart: unless-stopped
    volumes: [airflow:/var/lib/millrace]
    depends_on: {{ trino: {{ condition: service_healthy }} }}
    healthcheck: {{ test: [CMD, test, -e, /tmp/ready], interval: 1s, timeout: 5s }}
  history-server:
    <<: *base
    profiles: [history]
    command: [bash, -c, "touch /tmp/ready; exec sleep 1000"]
    restart: unless-stopped
    healthcheck: {{ test: [CMD, test, -e, /tmp/ready], interval: 1s, timeout: 5s }}
  datanode-2:
    <<: *base
    profiles: [scale]
    command: [bash, -c, "touch /tmp/ready; exec sleep 1000"]
    restart: unless-stopped
    volumes: [datanode-2:/var/lib/millrace/data]
    healthcheck: {{ test: [CMD, test, -e, /tmp/ready], interval: 1s, timeout: 5s }}
volumes:
  datanode-2: {{ labels: {{ <<: *labels }} }}
  secrets: {{ labels: {{ <<: *labels, dev.millrace.layout: "{layout}" }} }}
  airflow: {{ labels: {{ <<: *labels, dev.millrace.layout: "{layout}" }} }}
networks:
  default: {{ labels: *labels }}
"""

WORKS = "echo started; touch /tmp/ready; exec sleep 1000"


class Clone:
    """A folder that stands for a clone, with a compose file and a state folder of its own."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.home = root / f".millrace-{name}"
        (root / "contracts").mkdir(parents=True)
        (root / "contracts" / "orders.yaml").write_text("kind: DataContract\n")
        (root / "config").symlink_to(ROOT / "config")
        (self.home).mkdir()
        (self.home / "dist").symlink_to(Settings().dist)
        self.write()

    def write(
        self, trino: str = WORKS, layout: int = 1, image: str = IMAGE, word: str = "first"
    ) -> None:
        """Write the compose file, with a part of it changed."""
        text = COMPOSE.format(image=image, trino=trino, layout=layout, password=word)
        (self.root / "docker-compose.yml").write_text(text)

    def settings(self, port: int = PORT) -> Settings:
        """The settings of a cluster of this clone."""
        settings = Settings(root=self.root, home=self.home)
        settings.trino.port = port
        return settings


def silent(_: object) -> None:
    """Watch nothing."""
