"""The demo as a program: brings the stage up, tells what happens on it, and judges the run where that was asked for."""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from simulator import ScenarioError, load_scenario, scenario_names

from .account import account_of, faults_of, prices_of, sessions_of, table_of
from .client import FormRefused, NotReachable, RequestRefused
from .folder import CHECKOUT
from .home_assistant import HomeAssistantEnded
from .stage import PASSWORD, USER, FolderInUse, NotOurFolder, PortTaken, SiteDidNotComeUp, Stage
from .telling import line

DEFAULT_SCENARIO = "demo"

DID_NOT_COME_UP = 1
WRONG_USAGE = 2
CEILING_BROKEN = 3

STILL_STOPPING_AFTER_S = 60.0
"""Then it is cut short: whatever hangs, a person who pressed Ctrl-C is not kept waiting."""

SECONDS_PER_MINUTE = 60.0


def main() -> int:
    """Run the demo and return its exit status."""
    arguments = _arguments()
    try:
        scenario = load_scenario(arguments.scenario)
    except ScenarioError as wrong:
        print(wrong, file=sys.stderr)
        return WRONG_USAGE
    folder = arguments.folder or CHECKOUT / ".demo" / scenario.name
    stage = Stage(scenario, folder.resolve(), port=arguments.port, fresh=arguments.fresh, tell=_say)
    try:
        return asyncio.run(_run(stage, arguments))
    except (FolderInUse, NotOurFolder, PortTaken) as wrong:
        print(wrong, file=sys.stderr)
        return WRONG_USAGE
    except (SiteDidNotComeUp, HomeAssistantEnded, FormRefused, RequestRefused, NotReachable, TimeoutError) as wrong:
        print(f"The site did not come up: {wrong}", file=sys.stderr)
        return DID_NOT_COME_UP


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Runs a simulated car park and a real Home Assistant that manages it.",
    )
    parser.add_argument("--scenario", default=DEFAULT_SCENARIO, help=f"a file, or one of {', '.join(scenario_names())}")
    parser.add_argument("--port", type=int, help="of Home Assistant; else 8123 or one that is free")
    parser.add_argument("--folder", type=Path, help="Home Assistant's configuration; else .demo/<scenario>")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier run set up")
    parser.add_argument("--minutes", type=float, metavar="N", help="stop by itself after N minutes of managed charging")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write how it went as JSON")
    parser.add_argument("--every", type=float, default=5.0, metavar="S", help="seconds between two lines")
    return parser.parse_args()


async def _run(stage: Stage, arguments: argparse.Namespace) -> int:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _asked_to_stop, over, stage)
    interrupted = asyncio.create_task(over.wait())
    opening = asyncio.create_task(stage.__aenter__())
    try:
        await asyncio.wait({interrupted, opening}, return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            opening.cancel()
            with suppress(asyncio.CancelledError):
                await opening
            return DID_NOT_COME_UP if arguments.minutes else 0
        await opening
        return await _play(stage, arguments, over)
    finally:
        interrupted.cancel()
        await stage.__aexit__(None, None, None)


async def _play(stage: Stage, arguments: argparse.Namespace, over: asyncio.Event) -> int:
    """Tell what happens until it is over, then judge it."""
    _introduce(stage)
    ends_at = None if arguments.minutes is None else time.monotonic() + arguments.minutes * SECONDS_PER_MINUTE
    while not over.is_set() and (ends_at is None or time.monotonic() < ends_at):
        with suppress(TimeoutError):
            async with asyncio.timeout(_pause(arguments.every, ends_at)):
                await over.wait()
        with suppress(NotReachable):  # somebody restarts Home Assistant in its own interface
            print(await line(stage), flush=True)
    if arguments.minutes is None and arguments.report is None:
        return 0
    account = await account_of(stage)
    if arguments.report is not None:
        arguments.report.write_text(json.dumps(account, indent=2) + "\n", encoding="utf-8")
    for row in (*sessions_of(account), *prices_of(account), *table_of(account)):
        print(row, flush=True)
    faults = faults_of(account)
    for fault in faults:
        print(f"FAULT: {fault}", file=sys.stderr)
    return CEILING_BROKEN if faults else 0


def _pause(every: float, ends_at: float | None) -> float:
    return every if ends_at is None else max(0.0, min(every, ends_at - time.monotonic()))


def _introduce(stage: Stage) -> None:
    meters = ", ".join(f"127.0.0.1:{port}" for port in stage.simulated.meter_ports.values())
    print(
        f"\n  Home Assistant   {stage.home_assistant.url}   user {USER}, password {PASSWORD}\n"
        f"  Simulated site   {stage.scenario.title}\n"
        f"                   {len(stage.simulated.charge_points)} charge points dial"
        f" ws://127.0.0.1:{stage.ports.ocpp}, meter at {meters}\n"
        f"  Configuration    {stage.folder}\n"
        f"  Stop             Ctrl-C\n",
        flush=True,
    )


def _asked_to_stop(over: asyncio.Event, stage: Stage) -> None:
    """Stop in order; asked a second time, or when that takes too long, by force."""
    if over.is_set():
        _by_force(stage)()
    over.set()
    _say("stopping")
    asyncio.get_running_loop().call_later(STILL_STOPPING_AFTER_S, _by_force(stage))


def _by_force(stage: Stage) -> Callable[[], None]:
    def end() -> None:
        stage.kill_home_assistant()
        os._exit(128 + signal.SIGINT)

    return end


def _say(what: str) -> None:
    print(f"demo: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
