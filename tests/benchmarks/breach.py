"""From a meter sample that breaks a ceiling to the last reduction on the wire, in a real Home Assistant.

Home Assistant is a process of its own with its usual parts (recorder, history, logbook, frontend, somebody who looks at
the states); charge points and meter are another process, so that what is measured is what they see: from the moment at
which the meter answers with a current that breaks the ceiling to the arrival of the last order for less. A probe inside
Home Assistant says how late its event loop was meanwhile, and what held it.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from scripts.demo_site.client import HomeAssistantClient
from scripts.demo_site.folder import CONFIGURATION, prepare
from scripts.demo_site.home_assistant import HomeAssistantProcess
from scripts.demo_site.stage import PASSWORD, USER, is_free

from .loop_probe import FILE
from .measuring import percentile
from .program import Program, ProgramEnded, running
from .progress import say
from .report import Row
from .rpc import Worthless

NAME = "guard"
TARGET_MS = 250.0
TARGET_CONNECTORS = 200

HOST = "127.0.0.1"
PORTS = (20_000, 30_000)
ENTRY_ID = "01BENCHMARK000000000000000"
CREATED_AT = "2026-01-01T00:00:00+00:00"
POINTS_OF_CLUSTER = 20
CLUSTERS_OF_BOARD = 5

MAXIMUM_A, LEAST_A = 32.0, 8.0
MARGIN_A = 4.0
"""More than the meter is wrong by."""
BASE_A_PER_POINT = 1.0
JUMP_A_PER_POINT = 1.05
"""Takes a whole amp from everybody and breaks the rating, not only the margin."""
JUMP_BEYOND_A = 12.0

RISES_WITHIN_S = 420.0
ONLINE_WITHIN_S = 180.0
LONGEST_HOLD_MS = 20.0
"""No callback should hold the loop for longer."""
CAUSES_TOLD = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    connectors: int = TARGET_CONNECTORS
    jumps: int = 50
    pauses_s: tuple[float, float] = (15.5, 18.5)
    """Before each jump: more than the time that a car is given to settle (15 s). One that comes sooner may have to be
    told from cars that still follow the last, which takes seconds (docs/engine.md); here it is the way to the wire."""


QUICK = Extent(connectors=3, jumps=1, pauses_s=(1.0, 2.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """One jump; times of CLOCK_MONOTONIC in s."""

    shown_at: float
    arrived_at: Sequence[float]

    @property
    def last_at(self) -> float:
        """Return when the last reduction arrived."""
        return self.arrived_at[-1]

    @property
    def reductions(self) -> int:
        """Return how many there were."""
        return len(self.arrived_at)

    @property
    def first_ms(self) -> float:
        """Return from the meter's answer to the arrival of the first reduction."""
        return (self.arrived_at[0] - self.shown_at) * 1e3

    @property
    def took_ms(self) -> float:
        """Return from the meter's answer to the arrival of the last reduction."""
        return (self.last_at - self.shown_at) * 1e3


def measure(extent: Extent) -> Iterator[Row]:
    """Yield the figures."""
    folder = Path(tempfile.mkdtemp(prefix="charge-cluster-benchmark-"))
    try:
        jumps, lines = asyncio.run(_run(folder, extent))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    yield from figures_of(extent, jumps, lines)


def figures_of(extent: Extent, jumps: Sequence[Jump], lines: Sequence[dict[str, Any]]) -> Iterator[Row]:
    """Yield the figures of jumps, given what the probe noted."""
    took_ms = [jump.took_ms for jump in jumps]
    subject = f"breach to wire, {extent.connectors} connectors in Home Assistant"
    least, most = min(jump.reductions for jump in jumps), max(jump.reductions for jump in jumps)
    counted = f"{len(jumps)} jumps, {least} to {most} reductions each"
    for name, percent, target, note in (
        ("p50", 50, None, counted),
        ("p99", 99, TARGET_MS if extent.connectors == TARGET_CONNECTORS else None, ""),
        ("longest", 100, None, ""),
    ):
        yield Row(
            benchmark=NAME,
            subject=subject,
            figure=f"last reduction, {name}",
            value=percentile(took_ms, percent),
            unit="ms",
            target=target,
            note=note,
        )
    yield Row(
        benchmark=NAME,
        subject=subject,
        figure="first reduction, p50",
        value=percentile([jump.first_ms for jump in jumps], 50),
        unit="ms",
    )
    meanwhile = [line for line in lines if any(_during(line, jump) for jump in jumps)]
    late_ms = [line["late_s"] * 1e3 for line in meanwhile if "late_s" in line]
    held: dict[str, float] = defaultdict(float)
    for line in meanwhile:
        if "held_s" in line:
            held[line["by"]] = max(held[line["by"]], line["held_s"] * 1e3)
    longest = sorted(held.items(), key=lambda each: -each[1])[:CAUSES_TOLD]
    yield Row(
        benchmark=NAME,
        subject=subject,
        figure="event loop late meanwhile, longest",
        value=max(late_ms, default=0.0),
        unit="ms",
        note=", ".join(f"{by} {ms:.0f} ms" for by, ms in longest if ms > LONGEST_HOLD_MS),
    )


def _during(line: dict[str, Any], jump: Jump) -> bool:
    ends = line["at"] + line.get("late_s", line.get("held_s", 0.0))
    return bool(line["at"] <= jump.last_at and ends >= jump.shown_at)


# Home Assistant ------------------------------------------------------------------------------------------------------


async def _run(folder: Path, extent: Extent) -> tuple[list[Jump], list[dict[str, Any]]]:
    identities = [f"CP{number:03d}" for number in range(1, extent.connectors + 1)]
    base_a = BASE_A_PER_POINT * extent.connectors
    async with running("premises") as premises:
        meter_port = (await premises.ask(ask="listen", base_a=base_a))["meter_port"]
        ocpp_port = _free_port()
        rating_a = base_a + extent.connectors * MAXIMUM_A + MARGIN_A
        site = _site(identities, rating_a=rating_a, ocpp_port=ocpp_port, meter_port=meter_port)
        async with _home_assistant(folder, site):
            say(f"guard: {extent.connectors} charge points dial in")
            await premises.ask(ask="dial", identities=identities, port=ocpp_port)
            jumps = await _jumps(premises, extent, base_a, rating_a)
            await asyncio.sleep(2.0)  # the probe writes once a second
    lines = [json.loads(line) for line in (folder / FILE).read_text(encoding="utf-8").splitlines()]
    return jumps, lines


async def _jumps(premises: Program, extent: Extent, base_a: float, rating_a: float) -> list[Jump]:
    jumps: list[Jump] = []
    by_a = JUMP_A_PER_POINT * extent.connectors + JUMP_BEYOND_A
    now_a = base_a
    await _risen(premises, base_a)
    while len(jumps) < extent.jumps:
        figures = await premises.ask(ask="figures")
        if figures["mean_a"] < LEAST_A + JUMP_A_PER_POINT:
            now_a = base_a
            await _risen(premises, base_a)
        await asyncio.sleep(random.uniform(*extent.pauses_s))
        now_a += by_a
        outcome = await premises.ask(ask="jump", to_a=now_a, rating_a=rating_a)
        if not outcome["arrived_at"] or not outcome["cleared"]:
            reductions = len(outcome["arrived_at"])
            raise Worthless(f"a jump to {now_a:.0f} A was not answered: {reductions} reductions are too few")
        jump = Jump(shown_at=outcome["shown_at"], arrived_at=outcome["arrived_at"])
        jumps.append(jump)
        say(
            f"guard: jump {len(jumps)} of {extent.jumps}: {jump.first_ms:.0f} to {jump.took_ms:.0f} ms,"
            f" {jump.reductions} reductions,"
            f" limits now {outcome['least_a']:g} to {outcome['most_a']:g} A"
        )
    return jumps


async def _risen(premises: Program, base_a: float) -> None:
    """Let the base load be low, and wait until everybody has all."""
    say("guard: everybody rises")
    begun = time.monotonic()
    while True:
        figures = await premises.ask(ask="settle", base_a=base_a)
        if figures["hung_up"]:
            raise Worthless(f"{figures['hung_up']} charge points lost their connection")
        if figures["least_a"] >= MAXIMUM_A - 1.0:
            return
        if time.monotonic() - begun > RISES_WITHIN_S:
            raise ProgramEnded(f"not everybody was given all: {figures}")
        await asyncio.sleep(1.0)


@asynccontextmanager
async def _home_assistant(folder: Path, site: dict[str, Any]) -> AsyncIterator[None]:
    port = _free_port()
    prepare(folder, port=port)
    probe = Path(__file__).with_name("loop_probe")
    (folder / "custom_components" / "loop_probe").symlink_to(probe, target_is_directory=True)
    own = CONFIGURATION.replace("  commit_interval: 1\n", "")
    (folder / "configuration.yaml").write_text(f"{own}loop_probe:\n", encoding="utf-8")
    stored = {"version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": [site]}}
    (folder / ".storage" / "core.config_entries").write_text(json.dumps(stored), encoding="utf-8")
    say("guard: Home Assistant starts")
    async with aiohttp.ClientSession() as session, HomeAssistantProcess(folder, port=port) as process:
        client = HomeAssistantClient(process.url, session)
        await client.onboard(name="Benchmark", username=USER, password=PASSWORD)
        await client.running()
        async with client.websocket() as socket:
            shown = await socket.subscribe("subscribe_entities")
            looking = asyncio.create_task(_look(shown.events))
            try:
                yield
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)


async def _look(events: asyncio.Queue[Any]) -> None:
    """Look at everything that is shown, as a dashboard does."""
    while True:
        await events.get()


def _free_port() -> int:
    """Return a port that another run, begun at the same time, does not choose too, nor the system for who dials."""
    return next(port for port in iter(lambda: random.randrange(*PORTS), None) if is_free(port))


# The site as it is stored --------------------------------------------------------------------------------------------


def _site(identities: Sequence[str], *, rating_a: float, ocpp_port: int, meter_port: int) -> dict[str, Any]:
    """Return the entry of a three-level site of which only the supply holds anybody back."""
    clusters = -(-len(identities) // POINTS_OF_CLUSTER)
    boards = -(-clusters // CLUSTERS_OF_BOARD)
    subentries = [
        *(_circuit("board", board, "supply", rating_a) for board in range(boards)),
        *(
            _circuit("cluster", cluster, _id("board", cluster // CLUSTERS_OF_BOARD), rating_a)
            for cluster in range(clusters)
        ),
        *(
            _subentry(
                _id("point", number),
                "charge_point",
                identity,
                f"charge_point:{identity}",
                identity=identity,
                cluster=_id("cluster", number // POINTS_OF_CLUSTER),
                rotations=["l1_l2_l3"],
                maximum=MAXIMUM_A,
                minimum=6.0,
                step=1.0,
                priority=0,
                security="plain",
            )
            for number, identity in enumerate(identities)
        ),
        _subentry(
            _id("meter", 0),
            "meter",
            "Supply meter",
            f"meter:{HOST}:{meter_port}:1",
            circuit="supply",
            host=HOST,
            port=meter_port,
            unit=1,
            profile="sunspec",
            interval=1.0,
            inverted=False,
            scope="everything",
        ),
    ]
    return {
        "entry_id": ENTRY_ID,
        "domain": "charge_cluster",
        "title": "Supply",
        "unique_id": None,
        "version": 1,
        "minor_version": 1,
        "source": "user",
        "data": {
            "host": HOST,
            "port": ocpp_port,
            "phases": "3",
            "ratings": [rating_a] * 3,
            "margin": MARGIN_A,
            "base_load": rating_a - len(identities) * 6.0,
            "accept_all_tags": True,
            "on_time": 15.0,
            "restart_stagger": 0.0,
        },
        "options": {},
        "subentries": subentries,
        "created_at": CREATED_AT,
        "modified_at": CREATED_AT,
        "disabled_by": None,
        "discovery_keys": {},
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
    }


def _circuit(kind: str, number: int, parent: str, rating_a: float) -> dict[str, Any]:
    name = f"{kind.title()} {number + 1}"
    ratings = [rating_a] * 3
    return _subentry(_id(kind, number), "cluster", name, None, parent=parent, ratings=ratings, base_load=0.0)


def _subentry(subentry_id: str, kind: str, title: str, unique_id: str | None, **data: Any) -> dict[str, Any]:
    return {
        "subentry_id": subentry_id,
        "subentry_type": kind,
        "title": title,
        "unique_id": unique_id,
        "data": data,
    }


def _id(kind: str, number: int) -> str:
    return f"{kind}{number:03d}".upper().rjust(26, "0")
