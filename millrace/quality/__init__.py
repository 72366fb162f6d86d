"""The quality gate: Great Expectations on the processed tables, derived from the contracts."""
