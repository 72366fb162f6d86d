"""The faults, one module a subject."""
