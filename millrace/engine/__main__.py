"""`python3 -m millrace.engine start|stop`: the private engine by hand.

`eval "$(python3 -m millrace.engine start)"` leads a shell to it.
"""

from __future__ import annotations

import os
import shlex
import sys

from millrace.engine import daemon, provide
from millrace.errors import MillraceError

USAGE = 'usage: eval "$(python3 -m millrace.engine start)"  or  python3 -m millrace.engine stop'


def main(arguments: list[str]) -> int:
    """Start or stop; steps go to standard error, variables to standard output."""
    place = daemon.default_place()
    before = dict(os.environ)
    try:
        if arguments == ["start"]:
            provide.start_by_hand(_say, place)
            for name, value in os.environ.items():
                if before.get(name) != value:
                    print(f"export {name}={shlex.quote(value)}")
        elif arguments == ["stop"]:
            provide.stop_by_hand(_say, place)
        else:
            print(USAGE, file=sys.stderr)
            return 2
    except MillraceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _say(step: str) -> None:
    print(step, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
