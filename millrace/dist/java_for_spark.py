"""Make PyPI's Java 17 start Spark.

Spark asks every Java it starts for the module `jdk.incubator.vector`, which this runtime was
built without, and Java does not start when a module that was asked for is missing. Only a faster
variant of a linear algebra library uses it; the library tries it and takes another when it is not
there. So the runtime's `java` leaves the request out.
"""

from __future__ import annotations

from pathlib import Path

REQUEST = "--add-modules=jdk.incubator.vector"

LAUNCHER = f"""#!/bin/sh
# Java without the module that Spark asks for, which this runtime does not have.
bin=$(dirname -- "$(readlink -f -- "$0")")
for argument do
    shift
    [ "$argument" = {REQUEST} ] || set -- "$@" "$argument"
done
exec "$bin/java.runtime" "$@"
"""


def leave_vector_module_out(home: Path) -> None:
    """Put the launcher in the place of a runtime's `java`."""
    java = home / "bin" / "java"
    java.rename(java.with_name("java.runtime"))
    java.write_text(LAUNCHER)
    java.chmod(0o755)
