"""A container engine for a machine that has none: Docker from Debian's packages, run privately.

`provide.engine` hands out the machine's own engine where one answers. Where none does, and the
user may install packages, it installs Debian's, starts a daemon whose data, socket and settings
are below the user's cache, makes the base image where no registry can give it, and stops what it
started. It changes nothing of an engine that somebody else runs, and does not start beside one;
the packages, the bridge `docker0` and Docker's packet filter chains stay behind.
"""
