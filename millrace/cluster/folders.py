"""The one-shot `lake-init`: the folders of HDFS with their owners, and the bucket.

By WebHDFS and the S3 protocol with the standard library and botocore's signer alone: it runs at
every start, so it must take a fraction of a second when everything is there.
"""

from __future__ import annotations

import http.client
import sys

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from millrace.errors import MillraceError, TransientError
from millrace.settings import Settings, load

#: folder -> permission. The owner is `millrace`, as every process of the cluster is.
HDFS_FOLDERS = {
    "/data/streaming": "755",
    "/data/processed": "755",
    "/data/checkpoint": "755",
    "/warehouse/managed": "755",
    "/warehouse/external": "755",
    "/spark/history": "755",
    "/user/millrace": "755",
    "/tmp": "1777",  # noqa: S108 - a folder of HDFS
}
_TIMEOUT_SECONDS = 20


def _call(
    host: str, port: int, method: str, target: str, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request(method, target, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    except OSError as error:
        raise TransientError(f"{host}:{port}", str(error), "make status") from error
    finally:
        connection.close()


def make_hdfs_folders(settings: Settings) -> None:
    """Make every folder with its permission; harmless when they are there."""
    for folder, permission in HDFS_FOLDERS.items():
        for query in (f"MKDIRS&permission={permission}", f"SETPERMISSION&permission={permission}"):
            status, body = _call(
                settings.namenode.host,
                settings.namenode.http_port,
                "PUT",
                f"/webhdfs/v1{folder}?op={query}&user.name=millrace",
            )
            if status != http.client.OK:
                raise MillraceError(
                    f"hdfs://millrace{folder}", body.decode(), "make logs SERVICE=namenode"
                )


def make_bucket(settings: Settings) -> None:
    """Make the bucket; harmless when it is there."""
    store = settings.objectstore
    request = AWSRequest(method="PUT", url=f"{store.url}/{store.bucket}")
    credentials = Credentials(
        settings.secret("objectstore-access-key"), settings.secret("objectstore-secret-key")
    )
    S3SigV4Auth(credentials, "s3", store.region).add_auth(request)
    status, body = _call(
        store.host, store.port, "PUT", f"/{store.bucket}", dict(request.headers.items())
    )
    if status not in (http.client.OK, http.client.CONFLICT):
        raise MillraceError(f"s3://{store.bucket}", body.decode(), "make logs SERVICE=objectstore")


def main() -> None:
    """Make everything; the supervisor tries again when a service is not ready."""
    try:
        settings = load()
        make_hdfs_folders(settings)
        make_bucket(settings)
    except MillraceError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
