"""Producers: what sends records to Kafka, and the ledger that says what became of each."""
