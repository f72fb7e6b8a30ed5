"""`scripts/benchmark`: takes the figures, shows them, and writes them down where asked to."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from . import guard, ocpp, scheduling, shares
from .program import ProgramEnded
from .progress import say
from .report import Report, Row
from .rpc import Worthless
from .staff_car_park import USUAL_PLACE, WHERE_TO_GET_IT, NoRecording

EXPLANATION = """\
Figures are shown with their targets and not judged: a missed target is an error only with --strict.
docs/benchmarks.md says what each figure is.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return what the program exits with: 0; 1 where a target was missed and --strict was given; 2 for a broken run."""
    options = _options(arguments)
    rows: list[Row] = []
    broken: str | None = None
    try:
        for row in _rows(options):
            say(row.as_line())
            rows.append(row)
    except (ProgramEnded, Worthless, NoRecording) as failure:
        # What was measured until then took minutes; it is shown all the same.
        broken = str(failure)
    report = Report(rows=rows, quick=options.quick)
    if options.json is not None and broken is None:
        options.json.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{report.as_table()}\n")
    if broken is not None:
        say(f"broken off: {broken}")
        return 2
    return 1 if options.strict and report.missed else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/benchmark", description="Take figures of speed and of safety.", epilog=EXPLANATION
    )
    parser.add_argument(
        "name",
        nargs="?",
        choices=(shares.NAME, scheduling.NAME, ocpp.NAME, guard.NAME),
        help="only these; without a name, all",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help=f"the recorded staff car park; by default ../shared/data/{USUAL_PLACE.name}, else made-up sessions",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures down as well")
    parser.add_argument("--strict", action="store_true", help="a missed target ends with exit code 1")
    parser.add_argument("--quick", action="store_true", help="next to nothing of each: shows that it works")
    parser.add_argument("--long", action="store_true", help="scheduling: whole months instead of some days of each")
    return parser.parse_args(arguments)


def _rows(options: argparse.Namespace) -> Iterator[Row]:
    name: str | None = options.name
    quick: bool = options.quick
    if name in (None, shares.NAME):
        extent = shares.QUICK if quick else shares.Extent()
        yield from shares.measure(replace(extent, staff=replace(extent.staff, recording=_recording(options))))
    if name in (None, scheduling.NAME):
        some = scheduling.LONG if options.long else scheduling.Extent()
        yield from scheduling.measure(replace(scheduling.QUICK if quick else some, recording=_recording(options)))
    if name in (None, ocpp.NAME):
        yield from ocpp.measure(ocpp.QUICK if quick else ocpp.Extent())
    if name in (None, guard.NAME):
        yield from guard.measure(guard.QUICK if quick else guard.Extent())


def _recording(options: argparse.Namespace) -> Path | None:
    """Return where the recorded car park is; None: nobody has said so, and it is not where it usually is."""
    given: Path | None = options.data
    if given is not None or options.quick:
        return given
    if USUAL_PLACE.exists():
        return USUAL_PLACE
    say(f"shares: no recording beside the checkout, so sessions are made up; it can be had as {WHERE_TO_GET_IT}")
    return None


if __name__ == "__main__":
    sys.exit(main())
