"""Batch jobs: entry modules, and what they are made of."""
