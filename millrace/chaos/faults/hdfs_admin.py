"""What a fault does to HDFS and what it sees there: quotas, safe mode, files open for writing."""

from __future__ import annotations

import os
import re
import subprocess

import requests

from millrace.environment import lake_environment
from millrace.errors import MillraceError
from millrace.settings import Settings

TIMEOUT_S = 30.0
#: What `setQuota` takes: the greatest number leaves a quota as it is, -1 lifts it.
UNCHANGED, NONE = 2**63 - 1, -1


class HdfsAdmin:
    """The file system behind `hdfs://millrace`, as its superuser."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = settings.namenode.web_url

    def used_bytes(self, folder: str) -> int:
        """What the files below a folder take, as a space quota counts it."""
        summary = self._webhdfs("GET", folder, op="GETCONTENTSUMMARY").json()
        return int(summary["ContentSummary"]["spaceConsumed"])

    def limit_space(self, folder: str, most_bytes: int) -> None:
        """Let the files below a folder take so many bytes and no more: its disk is full."""
        self._set_quota(folder, most_bytes)

    def lift_limit(self, folder: str) -> None:
        """Let it take what there is."""
        self._set_quota(folder, NONE)

    def is_in_safe_mode(self) -> bool:
        """Whether the NameNode takes no change now.

        Raises:
            requests.RequestException: it does not answer.
        """
        query = {"qry": "Hadoop:service=NameNode,name=NameNodeInfo"}
        answer = requests.get(f"{self._url}/jmx", params=query, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return bool(answer.json()["beans"][0]["Safemode"])

    def hold_safe_mode(self, held: bool) -> None:
        """Enter safe mode, or leave it. WebHDFS has no such request, so a JVM asks for it."""
        settings = self._settings
        jars = f"{settings.config / 'hadoop'}:{settings.dist / 'hadoop' / 'jars'}/*"
        done = subprocess.run(
            [
                str(settings.dist / "java17" / "bin" / "java"),
                *("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", jars),
                "org.apache.hadoop.hdfs.tools.DFSAdmin",
                *("-safemode", "enter" if held else "leave"),
            ],
            env={**os.environ, **lake_environment(settings)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip() or done.stdout.strip()
            raise MillraceError("safe mode", said[-500:], "make logs SERVICE=namenode")

    def open_files(self, folder: str) -> list[str]:
        """Files below a folder that somebody has begun to write and not closed."""
        answer = requests.get(
            f"{self._url}/fsck",
            params={"ugi": "millrace", "path": folder, "openforwrite": "1", "files": "1"},
            timeout=TIMEOUT_S,
        )
        answer.raise_for_status()
        return open_for_write(answer.text)

    def _set_quota(self, folder: str, most_bytes: int) -> None:
        quota = {"namespacequota": str(UNCHANGED), "storagespacequota": str(most_bytes)}
        self._webhdfs("PUT", folder, op="SETQUOTA", **quota)

    def _webhdfs(self, method: str, path: str, **query: str) -> requests.Response:
        answer = requests.request(
            method,
            f"{self._url}/webhdfs/v1{path}",
            params={**query, "user.name": "millrace"},
            timeout=TIMEOUT_S,
        )
        answer.raise_for_status()
        return answer


def open_for_write(report: str) -> list[str]:
    """The paths that fsck calls open for writing."""
    return re.findall(r"^(/\S+) .*OPENFORWRITE", report, re.MULTILINE)
