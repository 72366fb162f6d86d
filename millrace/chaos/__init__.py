"""Faults that are planted on purpose, the evidence that they landed, and what they left."""
