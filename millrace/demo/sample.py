"""What the sample data plants: the manifest that the generator wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass

from millrace.demo.counts import DatasetCounts
from millrace.errors import MillraceError
from millrace.settings import Settings


@dataclass(frozen=True)
class Sample:
    """Records of one dataset in the sample: the good ones, and the bad ones beside them."""

    good: int
    bad: int

    @property
    def records(self) -> int:
        """All that is sent."""
        return self.good + self.bad


def read_manifest(settings: Settings) -> dict[str, Sample]:
    """The sample's datasets.

    Raises:
        MillraceError: there is no manifest.
    """
    path = settings.sample / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError:
        raise MillraceError(
            f"sample data {path}", "was not generated yet", "make generate-data"
        ) from None
    return {
        dataset: Sample(good=entry["records"], bad=sum(entry["bad"].values()))
        for dataset, entry in manifest["datasets"].items()
    }


def planted_since(
    before: list[DatasetCounts], after: list[DatasetCounts], sample: dict[str, Sample]
) -> dict[str, int]:
    """Bad records that were published between two counts.

    The sample is published whole, so the acknowledged records tell how often: a second try of
    the publishing task publishes it a second time, and plants its bad records again.
    """
    earlier = {row.dataset: row.acknowledged for row in before}
    return {
        row.dataset: sample[row.dataset].bad
        * (row.acknowledged - earlier.get(row.dataset, 0))
        // sample[row.dataset].records
        for row in after
        if row.dataset in sample
    }
