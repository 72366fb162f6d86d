"""The benchmark of ingestion: one topic, drained by us and by what else there is, and judged.

`make bench-ingest` fills a topic once and has it drained into a table by four contestants, one
after the other on the same cluster. A reader that is none of them compares each table with what
was produced; a table that differs gets no number.
"""
