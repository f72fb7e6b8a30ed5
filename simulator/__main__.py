"""Runs a scenario from the command line and tells every few seconds what the site does."""

import argparse
import asyncio
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path

from .clock import SimClock
from .scenario_file import ScenarioError, load_scenario, scenario_names
from .site import SimulatedSite


def main() -> int:
    """Run until the scenario is over or somebody interrupts."""
    arguments = _arguments()
    try:
        scenario = load_scenario(arguments.scenario)
    except ScenarioError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    site = SimulatedSite(scenario, clock=SimClock(factor=arguments.factor))
    duration = arguments.duration if arguments.duration is not None else scenario.duration_s
    asyncio.run(_run(site, arguments, None if arguments.forever else duration))
    if arguments.report is not None:
        arguments.report.write_text(json.dumps(site.report(), indent=1) + "\n", encoding="utf-8")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--scenario", default="demo", help=f"a YAML file, or one of {', '.join(scenario_names())}")
    parser.add_argument("--ocpp", metavar="URL", help="where charge points dial in, as ws://127.0.0.1:9000")
    parser.add_argument("--ocpp-tls", metavar="URL", help="where those dial in that come over TLS; else the same place")
    parser.add_argument("--trusted", type=Path, metavar="FILE", help="certificate of the authority that these trust")
    parser.add_argument("--meter-port", type=int, default=5020, help="of the first meter; 0: any free one")
    parser.add_argument("--meter-host", default="127.0.0.1")
    parser.add_argument("--factor", type=float, default=1.0, help="how much faster than real time")
    parser.add_argument("--duration", type=float, metavar="S", help="virtual seconds; else the scenario's own")
    parser.add_argument("--forever", action="store_true", help="do not stop when the scenario is over")
    parser.add_argument("--every", type=float, default=5.0, metavar="S", help="real seconds between two lines")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the account as JSON when it ends")
    return parser.parse_args()


async def _run(site: SimulatedSite, arguments: argparse.Namespace, duration: float | None) -> None:
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    trusted = None if arguments.trusted is None else arguments.trusted.read_text(encoding="ascii")
    await site.start(
        arguments.ocpp,
        secure_url=arguments.ocpp_tls,
        trusted=trusted,
        meter_port=arguments.meter_port,
        meter_host=arguments.meter_host,
    )
    for meter_id, port in site.meter_ports.items():
        meter = site.meters[meter_id].spec
        print(f"meter {meter_id} ({meter.kind}) at {arguments.meter_host}:{port}, unit {meter.unit}", flush=True)
    try:
        while not over.is_set() and (duration is None or site.now < duration):
            with suppress(TimeoutError):
                async with asyncio.timeout(arguments.every):
                    await over.wait()
            print(line(site), flush=True)
    finally:
        await site.stop()


def line(site: SimulatedSite) -> str:
    """Return one line on what the site does now."""
    parts = [f"{site.now:7.1f} s"]
    for circuit in site.scenario.circuits:
        amps = "/".join(f"{one:.0f}" for one in site.truth.amps(circuit.circuit_id))
        account = site.truth.accounts[circuit.circuit_id]
        above = max(phase.charging_s for phase in account.phases)
        parts.append(f"{circuit.name} {amps} A" + (f" (over by charging {above:.0f} s)" if above else ""))
    outlets = site.truth.outlets.values()
    cars = [outlet for outlet in outlets if outlet.car is not None]
    charging = sum(outlet.drawn[0] > 0.0 for outlet in cars)
    online = sum(point.accepted and point.connected for point in site.charge_points.values())
    parts.append(f"{charging} of {len(cars)} cars charge")
    parts.append(f"{online} of {len(site.charge_points)} charge points online")
    return " | ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
