"""The cluster as containers: the same compose file, run by Docker Compose."""
