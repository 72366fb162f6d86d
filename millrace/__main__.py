"""Entry point of `python -m millrace`."""

from millrace import ending
from millrace.cli import main

if __name__ == "__main__":
    ending.run(main)
