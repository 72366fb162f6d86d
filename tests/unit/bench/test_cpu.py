"""Processor time is that of a whole process tree, real processes here."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from millrace.bench.cpu import CpuMeter, Sample, used

#: Uses so much processor time, then lives on.
BURN_S = 0.4
BURN = (
    "import time\n"
    f"while time.process_time() < {BURN_S}: pass\n"
    "print('burnt', flush=True); time.sleep(600)"
)
#: A parent that only waits for a child that burns.
FAMILY = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}])"


@pytest.fixture
def family() -> Iterator[psutil.Process]:
    """A process whose child has used its time."""
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE) as parent:
        process = psutil.Process(parent.pid)
        assert parent.stdout
        assert parent.stdout.readline() == b"burnt\n"
        yield process
        for each in [*process.children(recursive=True), process]:
            each.kill()


def test_the_time_of_children_is_counted(family: psutil.Process) -> None:
    with CpuMeter(lambda: [family]) as meter:
        pass
    assert meter.total_s >= BURN_S * 0.9
    own = family.cpu_times()
    assert meter.total_s > own.user + own.system


def test_a_process_that_is_root_and_child_counts_once(family: psutil.Process) -> None:
    with CpuMeter(lambda: [family]) as alone:
        pass
    with CpuMeter(lambda: [family, *family.children(), family]) as thrice:
        pass
    # They sleep meanwhile, but for a moment of the clock.
    assert thrice.total_s == pytest.approx(alone.total_s, abs=0.1)


def test_what_a_process_used_stays_counted_when_it_is_gone(family: psutil.Process) -> None:
    roots = [family]
    with CpuMeter(lambda: roots, every_s=0.01) as meter:
        before = meter.total_s
        for each in [*family.children(recursive=True), family]:
            each.kill()
        deadline = time.monotonic() + 20
        seen = len(meter.samples)
        while len(meter.samples) < seen + 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert meter.samples[-1].cpu_s >= before > 0


def test_the_time_between_two_moments_is_found_between_samples() -> None:
    samples = [Sample(10.0, 0.0), Sample(12.0, 1.0), Sample(14.0, 4.0)]
    assert used(samples, 10.0, 14.0) == 4.0
    assert used(samples, 11.0, 13.0) == pytest.approx(2.0)
    # Before the first sample nothing was used, after the last one nothing more.
    assert used(samples, 0.0, 99.0) == 4.0
    assert used([], 0.0, 1.0) == 0.0
