"""The failure notice: one JSON document posted to `MILLRACE_NOTIFY__URL`.

A notice that can not be delivered is a line in the task's log and nothing more: it must never
turn a failure into another one.
"""

from __future__ import annotations

import json
import logging
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from millrace_airflow import addresses

log = logging.getLogger(__name__)

#: A task's slot is held while its notice is sent, so a receiver that hangs is given up soon.
TIMEOUT_SECONDS = 5


def notice(context: Any) -> dict[str, Any]:
    """What is said about a failed task: which one, which try, the error, where its log is."""
    instance = context["ti"]
    return {
        "dag_id": instance.dag_id,
        "task_id": instance.task_id,
        "run_id": instance.run_id,
        "map_index": getattr(instance, "map_index", -1),
        "try": instance.try_number,
        "error": str(context.get("exception") or "the task was ended from outside"),
        "log_url": instance.log_url,
    }


def notify(context: Any) -> None:
    """Post the notice of a failed task; for `on_failure_callback`."""
    url = addresses.notify_url()
    if not url:
        return
    try:
        if not url.startswith(("http://", "https://")):
            raise ValueError("not an http address")
        request = urllib.request.Request(  # noqa: S310
            url,
            data=json.dumps(notice(context)).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310
            log.info("notified %s", _receiver(url))
    except Exception as error:
        # http.client's own errors quote the address; those of the system and of HTTP do not.
        why = str(error) if isinstance(error, OSError) else type(error).__name__
        log.warning("the failure notice was not delivered to %s: %s", _receiver(url), why)


def _receiver(url: str) -> str:
    """Scheme and host: the rest of a webhook's address is often its credential."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an unreadable address"
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "no http address"
