"""Maintenance of the lake's Iceberg tables, while others read and write them.

Five steps, in this order: `retention` removes old rows, `manifests` puts manifests together,
`compact` does so with small files, `expire` forgets old snapshots and `orphans` deletes files that
no snapshot has. Each first says what it would do (`Work`), from the tables' own metadata.

Big rewrites are Trino's, which runs anyway; what decides over somebody else's data is done here, by
compare and swap on the snapshot that was looked at. Only one step deletes files, `orphans`, and
only old ones: an expired snapshot's files stay for it. So a step that is killed leaves nothing that
the next run does not mend, and a second run finds nothing to do.

It never moves the landing's offsets: a foreign commit hides them behind itself, and they are
carried on to the newest snapshot before anything is expired.
"""

from __future__ import annotations
