"""Sample data: a small shop over half a year, the same bytes for the same seed.

`millrace generate-data` writes one JSON-lines file a dataset, its records in event order, which is
also what `millrace produce` takes; beside it `<dataset>.bad.jsonl`, the records that quarantine is
to catch, each with its place among the good ones and the class of its fault; and `manifest.json`
with the numbers of both. `millrace publish-sample` sends all of it.

The half year is fixed (`calendar.START`): dates never come from the clock.
"""
