"""Months of reconnects in seconds: nothing of ours grows, neither objects nor tasks, nor what the objects hold."""

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any

from custom_components.charge_cluster.ocpp.listener import CentralSystem

from .charge_point import energy, sampled
from .raw_client import RawClient
from .stage import Stage, virtually
from .surroundings import Door

OURS = "custom_components.charge_cluster."
WARM_UP, ROUNDS = 120, 120
"""More than anything that is remembered on purpose (64 transactions that have ended)."""
VISITS = 50
"""An even number: who comes last comes twice, and is there when the others have left."""
HELD = (dict, list, set, frozenset, tuple)


class Inventory:
    """How many objects of ours there are, how much they hold, and how many tasks and timers wait."""

    def __init__(self) -> None:
        gc.collect()
        things = [thing for thing in gc.get_objects() if type(thing).__module__.startswith(OURS)]
        self.objects = Counter(type(thing).__name__ for thing in things)
        self.held = Counter[str]()
        for thing in things:
            for name, value in _attributes(thing):
                if isinstance(value, HELD) or hasattr(value, "maxlen"):
                    self.held[f"{type(thing).__name__}.{name}"] += len(value)
        self.tasks = len(asyncio.all_tasks())

    def grown_since(self, before: Inventory) -> dict[str, int]:
        """Return what there is more of than before."""
        grown = {**(self.objects - before.objects), **(self.held - before.held)}
        if self.tasks > before.tasks:
            grown["tasks"] = self.tasks - before.tasks
        return grown


def _attributes(thing: object) -> Iterator[tuple[str, Any]]:
    yield from getattr(thing, "__dict__", {}).items()
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(thing, name):
                yield name, getattr(thing, name)


def test_an_inventory_notices_what_grows() -> None:
    async def story() -> None:
        before = Inventory()
        assert Inventory().grown_since(before) == {}
        kept = [Door(), CentralSystem.__new__(CentralSystem)]
        kept[1].__dict__["_conversations"] = {"CP1": None}
        waiting = asyncio.create_task(asyncio.sleep(60))
        assert Inventory().grown_since(before) == {"CentralSystem": 1, "CentralSystem._conversations": 1, "tasks": 1}
        waiting.cancel()

    asyncio.run(story())


async def _a_day(stage: Stage, day: int) -> None:
    """A charge point connects, charges, and is gone: in order, in mid-transaction, or with calls on the wire."""
    point = await stage.booted()
    await point.status(1, "Charging")
    transaction_id = await point.start(tag=f"TAG{day}", meter=day * 1000)
    await point.measure([*sampled(L1=16.0, L2=16.0), energy(day * 1000 + 500)], 1, transaction_id)
    if day % 3:
        await point.stop(transaction_id, meter=day * 1000 + 900)
        await point.status(1, "Available")
    if day % 4 == 0:
        point.silent_on.add("SetChargingProfile")
        await point.status(1, "Charging")
    await asyncio.sleep(3600 * (day % 5))
    await stage.hang_up(point)
    stage.points.remove(point)
    await point.close()
    stage.reports.clear()
    for written in (stage.journal.stored, stage.journal.stops, stage.journal.orphans, stage.journal.records):
        written.clear()


@virtually
async def test_a_conversation_does_not_grow_with_its_connections(stage: Stage) -> None:
    for day in range(WARM_UP):
        await _a_day(stage, day)
    before = Inventory()
    for day in range(WARM_UP, WARM_UP + ROUNDS):
        await _a_day(stage, day)
    assert Inventory().grown_since(before) == {}


async def _visits(central: CentralSystem, number: int) -> RawClient:
    """One that is known comes, perhaps twice at a time, and a stranger; return the connection that is there last."""
    known = await RawClient.dial(central.port, "/CP1")
    await known.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    last = await RawClient.dial(central.port, "/CP1") if number % 2 else known
    stranger = await RawClient.dial(central.port, f"/STRANGER{number}")
    await stranger.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
    known.abort()
    stranger.abort()
    return last


async def _settled() -> Inventory:
    """Wait until only the last one who came twice is left of all who came."""
    async with asyncio.timeout(20.0):
        while (inventory := Inventory()).objects["RpcLink"] != 1:  # noqa: ASYNC110 - that nobody refers to them any more
            await asyncio.sleep(0.2)
    return inventory


async def test_a_listener_does_not_grow_with_its_visitors(central: CentralSystem) -> None:
    seats = [await _visits(central, number) for number in range(VISITS)]
    before = await _settled()
    seats = [await _visits(central, number) for number in range(VISITS, 2 * VISITS)]
    assert (await _settled()).grown_since(before) == {}
    seats[-1].abort()
