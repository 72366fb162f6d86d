"""`python3 -m millrace.dist [UNIT...]`: fetch what Millrace runs on; by `make install`, too."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from millrace.dist import cache
from millrace.dist.errors import MEGABYTE, MissingToolError
from millrace.dist.install import Installation
from millrace.dist.progress import Progress
from millrace.dist.units import UNITS, choose
from millrace.dist.workshop import Paths
from millrace.errors import MillraceError

ROOT = Path(__file__).resolve().parent.parent.parent
INTERRUPTED = 130


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python3 -m millrace.dist",
        description="Fetch everything Millrace runs on into your cache, and link it.",
    )
    parser.add_argument("units", nargs="*", metavar="UNIT", help="only these, and what they need")
    parser.add_argument("--list", action="store_true", help="show the units and end")
    parser.add_argument("--offline", action="store_true", help="fail rather than download")
    parser.add_argument(
        "--prune",
        action="store_true",
        help="remove the units of former locks from the cache, which other clones may use",
    )
    parser.add_argument("--home", type=Path, help="state folder (MILLRACE_HOME, or .millrace)")
    parser.add_argument(
        "--update-checksums",
        action="store_true",
        help="for maintainers: write the checksums of what Maven delivers instead of comparing",
    )
    return parser.parse_args(arguments)


def show(installation: Installation) -> None:
    """Print every unit: its state and its size."""
    for unit in UNITS.values():
        target = installation.present(unit)
        stamp = cache.read_stamp(installation.paths.folder(unit))
        if target is None:
            state = "optional" if unit.optional else "missing"
        elif stamp is None:
            state = str(target)
        else:
            state = f"{stamp.size / MEGABYTE:.0f} MB"
        print(f"{unit.name:<16} {state:<10} {unit.about}")


def run(arguments: list[str]) -> None:
    """Do what the command line says."""
    options = parse(arguments)
    home = options.home or Path(os.environ.get("MILLRACE_HOME") or ROOT / ".millrace")
    installation = Installation(
        Paths(ROOT / "distribution", cache.cache_folder()), home.expanduser().absolute()
    )
    if options.list:
        show(installation)
        return
    if options.prune:
        removed = installation.prune(complete=True)
        print(f"removed: {', '.join(removed) or 'nothing'}")
        return
    units = choose(options.units)
    with Progress() as progress:
        summary = installation.run(
            units,
            progress,
            offline=options.offline,
            update_checksums=options.update_checksums,
        )
    print(f"distribution: {summary}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run; an error is printed with its remedy, without a traceback."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if sys.version_info < (3, 11):  # noqa: UP036 - the machine's Python may be older
            raise MissingToolError(
                sys.executable,
                f"this is Python {sys.version.split()[0]}, and 3.11 or newer is needed",
                "python3.11 -m millrace.dist",
            )
        run(sys.argv[1:])
    except MillraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; what has arrived is kept", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
