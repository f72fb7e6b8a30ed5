"""Lines for whoever waits, on standard error so that the figures can be piped away."""

import sys


def say(text: str) -> None:
    """Write a line at once."""
    sys.stderr.write(f"benchmark: {text}\n")
    sys.stderr.flush()
