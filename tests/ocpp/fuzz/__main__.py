"""The fuzzer by itself: `python -m tests.ocpp.fuzz [--throws N] [--seed TEXT]`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from .assault import FateMissed, assault
from .bystanders import Disturbed
from .vocabulary import VERSIONS


def main() -> int:
    """Throw; return 1 where something did not become what it has to."""
    parser = argparse.ArgumentParser(prog="python -m tests.ocpp.fuzz", description="Throw bad frames at the listener.")
    parser.add_argument("--throws", type=int, default=2_000, help="how many; 2000 by default")
    parser.add_argument("--seed", default="usual", help="any text, for other throws than the usual ones")
    parser.add_argument("--version", choices=[str(version) for version in VERSIONS], help="frames of this version only")
    parser.add_argument("--tls", action="store_true", help="through TLS, with broken handshakes besides")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    versions = [version for version in VERSIONS if options.version in (None, str(version))]
    try:
        tally = asyncio.run(assault(options.seed, options.throws, versions, over_tls=options.tls))
    except (FateMissed, Disturbed) as missed:
        sys.stderr.write(f"fuzz: seed {options.seed!r}: {missed}\n")
        return 1
    sys.stdout.write(f"fuzz: {tally}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
