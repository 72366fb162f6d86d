"""Pure functions on DataFrames: no session, no input, no output."""
