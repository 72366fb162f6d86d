"""Millrace: from Kafka events to marts, with a proof that nothing was lost."""

__version__ = "0.1.0"
