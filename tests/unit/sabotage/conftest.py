"""A dataset, its copy, and what the verifier reads of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from millrace.lake import LakeCatalog
from millrace.sabotage.grounds import Grounds
from millrace.sabotage.scene import Scene
from millrace.verify.judging import Sources
from tests.unit.sabotage.visits import CONTRACT, Dataset, MemoryLog


def grounds_in(catalog: LakeCatalog, folder: Path) -> Grounds:
    folders = {tier: f"file://{folder}/copies/{tier}" for tier in ("hdfs", "s3")}
    return Grounds(catalog, folder / "scratch", folders)


def copied(dataset: Dataset, grounds: Grounds) -> Scene:
    grounds.prepare()
    scene = Scene(grounds, CONTRACT, seed=1)
    scene.copy(dataset.ledger)
    return scene


@pytest.fixture(scope="module")
def shared(lasting_catalog: tuple[LakeCatalog, Path]) -> tuple[Dataset, Scene]:
    """The dataset and its copy, for all tests of a module."""
    dataset = Dataset(*lasting_catalog)
    return dataset, copied(dataset, grounds_in(*lasting_catalog))


@pytest.fixture
def dataset(shared: tuple[Dataset, Scene]) -> Dataset:
    return shared[0]


@pytest.fixture
def scene(shared: tuple[Dataset, Scene]) -> Iterator[Scene]:
    """An undamaged copy, restored afterwards."""
    yield shared[1]
    shared[1].restore()


@pytest.fixture
def sources(dataset: Dataset) -> Sources:
    """Where the verifier reads the dataset."""
    return Sources(dataset.catalog, MemoryLog(dataset))


@pytest.fixture
def tamper(scene: Scene) -> Iterator[Callable[[str], Path]]:
    """The path of a file that may be changed behind the table's back; it is put back afterwards."""
    before: dict[Path, bytes] = {}

    def take(location: str) -> Path:
        path = Path(location.removeprefix("file://"))
        before[path] = path.read_bytes()
        return path

    yield take
    for path, content in before.items():
        path.write_bytes(content)


@pytest.fixture
def own_dataset(lake_catalog: LakeCatalog, tmp_path: Path) -> Dataset:
    """A dataset of the test's own."""
    return Dataset(lake_catalog, tmp_path)


@pytest.fixture
def own_grounds(lake_catalog: LakeCatalog, tmp_path: Path) -> Grounds:
    return grounds_in(lake_catalog, tmp_path)


@pytest.fixture
def own_scene(own_dataset: Dataset, own_grounds: Grounds) -> Scene:
    """An undamaged copy of the test's own."""
    return copied(own_dataset, own_grounds)
