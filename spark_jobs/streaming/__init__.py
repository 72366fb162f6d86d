"""Streaming applications."""
