"""A real Home Assistant to measure in, as a process of its own: with its usual parts, a site as it is stored, a probe.

Its usual parts are recorder, history, logbook, frontend, and somebody who looks at the states as a dashboard does. The
probe (`loop_probe`) says how late its event loop was, and what held it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Sequence
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
from .progress import say

HOST = "127.0.0.1"
PORTS = (20_000, 30_000)
ENTRY_ID = "01BENCHMARK000000000000000"
CREATED_AT = "2026-01-01T00:00:00+00:00"
POINTS_OF_CLUSTER = 20
CLUSTERS_OF_BOARD = 5
MAXIMUM_A, MINIMUM_A = 32.0, 6.0
MARGIN_A = 4.0
"""More than the meter is wrong by."""
LONGEST_HOLD_MS = 20.0
"""No callback should hold the loop for longer."""


@dataclass(frozen=True, slots=True)
class Home:
    """A Home Assistant that runs."""

    folder: Path
    pid: int

    def cpu_s(self) -> float:
        """Return the CPU that the whole process has taken, all of its threads together."""
        after_name = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Return the memory that it has in use."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


@asynccontextmanager
async def home_assistant(
    folder: Path, site: dict[str, Any], *, benchmark: str, sampled_every_s: float = 0.005, second_life: bool = False
) -> AsyncIterator[Home]:
    """Run Home Assistant with a site for the length of the block.

    Args:
        sampled_every_s: how often the probe looks how late the event loop is; looking costs CPU, too.
        second_life: it is started, stopped and started again, so that it knows all devices and entities. The first time
            it tells its recorder of each that is registered, some 75 for a charge point, and keeps the memory for that.
    """
    port = free_port()
    prepare(folder, port=port)
    probe = Path(__file__).with_name("loop_probe")
    (folder / "custom_components" / "loop_probe").symlink_to(probe, target_is_directory=True)
    own = CONFIGURATION.replace("  commit_interval: 1\n", "")
    (folder / "configuration.yaml").write_text(
        f"{own}loop_probe:\n  sampled_every_s: {sampled_every_s}\n", encoding="utf-8"
    )
    stored = {"version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": [site]}}
    (folder / ".storage" / "core.config_entries").write_text(json.dumps(stored), encoding="utf-8")
    say(f"{benchmark}: Home Assistant starts")
    async with aiohttp.ClientSession() as session, HomeAssistantProcess(folder, port=port) as process:
        client = HomeAssistantClient(process.url, session)
        await client.onboard(name="Benchmark", username=USER, password=PASSWORD)
        await client.running()
        if second_life:
            say(f"{benchmark}: Home Assistant starts again")
            await process.stop()
            await process.start()
            await client.running()
        assert process.pid is not None
        async with client.websocket() as socket:
            shown = await socket.subscribe("subscribe_entities")
            looking = asyncio.create_task(_look(shown.events))
            try:
                yield Home(folder, process.pid)
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)


def probed(folder: Path) -> list[dict[str, Any]]:
    """Return what the probe noted in a Home Assistant that has ended, or has had a second to write."""
    return [json.loads(line) for line in (folder / FILE).read_text(encoding="utf-8").splitlines()]


async def _look(events: asyncio.Queue[Any]) -> None:
    """Look at everything that is shown, as a dashboard does."""
    while True:
        await events.get()


def free_port() -> int:
    """Return a port that another run, begun at the same time, does not choose too, nor the system for who dials."""
    return next(port for port in iter(lambda: random.randrange(*PORTS), None) if is_free(port))


# The site as it is stored --------------------------------------------------------------------------------------------


def stored_site(
    identities: Sequence[str], *, rating_a: float, ocpp_port: int, meter_port: int, connectors: int = 1
) -> dict[str, Any]:
    """Return the entry of a three-level site of which only the supply holds anybody back.

    Args:
        connectors: of each charge point.
    """
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
                rotations=["l1_l2_l3"] * connectors,
                maximum=MAXIMUM_A,
                minimum=MINIMUM_A,
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
            "base_load": rating_a - len(identities) * connectors * MINIMUM_A,
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
