"""The cluster as local processes: derived from the compose file, supervised, watched, swept."""
