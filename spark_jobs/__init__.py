"""Spark jobs: `streaming` and `batch` hold entry modules, `transforms` pure DataFrame functions."""
