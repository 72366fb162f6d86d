"""The demo: every stage from an empty cluster to marts, and the count that proves it."""
