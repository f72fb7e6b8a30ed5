"""`scripts/benchmark`: takes the figures, shows them, and writes them down where asked to."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import guard, rpc, shares
from .program import ProgramEnded
from .report import Report, Row
from .rpc import Worthless

EXPLANATION = """\
Figures are shown with their targets and not judged: a missed target is an error only with --strict.
docs/benchmarks.md says what each figure is.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return what the program exits with: 0; 1 where a target was missed and --strict was given; 2 for a broken run."""
    options = _options(arguments)
    try:
        report = Report(rows=list(_rows(options.name, quick=options.quick)), quick=options.quick)
    except (ProgramEnded, Worthless) as failure:
        sys.stderr.write(f"benchmark: {failure}\n")
        return 2
    if options.json is not None:
        options.json.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{report.as_table()}\n")
    return 1 if options.strict and report.missed else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/benchmark", description="Take figures of speed and of safety.", epilog=EXPLANATION
    )
    parser.add_argument(
        "name", nargs="?", choices=(shares.NAME, rpc.NAME, guard.NAME), help="only these; without a name, all"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures down as well")
    parser.add_argument("--strict", action="store_true", help="a missed target ends with exit code 1")
    parser.add_argument("--quick", action="store_true", help="next to nothing of each: shows that it works")
    return parser.parse_args(arguments)


def _rows(name: str | None, *, quick: bool) -> Iterator[Row]:
    if name in (None, shares.NAME):
        yield from shares.measure(shares.QUICK if quick else shares.Extent())
    if name in (None, rpc.NAME):
        yield from rpc.measure(rpc.QUICK if quick else rpc.Extent())
    if name in (None, guard.NAME):
        yield from guard.measure(guard.QUICK if quick else guard.Extent())


if __name__ == "__main__":
    sys.exit(main())
