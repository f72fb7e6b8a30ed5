"""Prices of the simulated site, as an entity of Home Assistant tells them, and what became of charging by them.

Where a scenario has prices, Home Assistant gets a sensor that tells them in advance as day-ahead integrations do, the
site a tariff that reads it, through its form. Drivers say when they leave and how much they want, through the action
for that. Beside it, what truly flowed is added up at the prices of the moment: what Home Assistant says it cost can be
held against that.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from simulator import SimulatedSite
from simulator.scenario import Prices

from .client import SUBENTRY_FLOW, HomeAssistantClient, Json, NotReachable, RequestRefused
from .commissioning import DOMAIN, CommissionedSite

ENTITY = "sensor.day_ahead_price"
UNIT = "EUR/kWh"
AHEAD_S = 36 * 3600.0
MOST_SLOTS = 200

LOOK_EVERY_S = 1.0
ASK_EVERY_S = 10.0

WH_PER_KWH = 1000.0


@dataclass(frozen=True, slots=True)
class PriceSignal:
    """Prices that repeat, from a moment on."""

    prices: Prices
    since: float
    """UTC POSIX seconds, when the first slot began."""

    @classmethod
    def from_now(cls, prices: Prices) -> PriceSignal:
        """Return prices whose first slot runs now."""
        return cls(prices, time.time() // prices.slot_s * prices.slot_s)

    def at(self, when: float) -> float:
        """Return the price of a moment."""
        slots = self.prices.per_kwh
        return slots[int((when - self.since) // self.prices.slot_s) % len(slots)]

    def told(self, now: float) -> Json:
        """Return the state of the entity that tells them."""
        slot_s = self.prices.slot_s
        first = now // slot_s * slot_s
        count = min(MOST_SLOTS, int(AHEAD_S // slot_s))
        starts = [first + slot_s * index for index in range(-1, count)]
        forecast = [{"start": _spoken(at), "end": _spoken(at + slot_s), "value": self.at(at)} for at in starts]
        attributes = {"unit_of_measurement": UNIT, "friendly_name": "Day-ahead price", "forecast": forecast}
        return {"state": str(self.at(now)), "attributes": attributes}


async def add_tariff(client: HomeAssistantClient, site: CommissionedSite, signal: PriceSignal) -> None:
    """Have the prices told, and add the tariff that reads them by its form; what it lets begin is not put off."""
    await client.post(f"/api/states/{ENTITY}", signal.told(time.time()))
    await client.walk(
        SUBENTRY_FLOW,
        {"handler": [site.entry_id, "tariff"]},
        {"next_step_id": "prices"},
        {"name": "Day-ahead", "entities": [ENTITY], "advanced": {}},
    )
    async with client.websocket() as socket:
        registered = await socket.call("config/entity_registry/list")
        delay = next(e["entity_id"] for e in registered if e["unique_id"] == f"{site.entry_id}-random_delay")
        await socket.action("number.set_value", target={"entity_id": delay}, value=0)


class PriceWatch:
    """Tells prices and wishes while the demo runs, and sees what becomes of them."""

    def __init__(
        self,
        client: HomeAssistantClient,
        site: CommissionedSite,
        simulated: SimulatedSite,
        signal: PriceSignal,
        device_of: Callable[[str], Awaitable[str]],
    ) -> None:
        """Watch a site; `device_of` finds the device of a charge point."""
        self._client = client
        self._site = site
        self._simulated = simulated
        self._signal = signal
        self._device_of = device_of
        self._outlets = {
            connector.outlet_id: point.identity
            for point in simulated.scenario.charge_points
            for connector in point.connectors
        }
        self._wished: set[int] = set()
        """Of which stays (by their number) drivers have said what they want."""
        self._planned_now: set[str] = set()
        """Devices whose plan says that they charge now."""
        self._devices: dict[str, str] = {}
        """By outlet."""
        self._registers: dict[str, float] = {}
        self._energy_wh: defaultdict[float, float] = defaultdict(float)
        """What truly flowed into vehicles, by its price."""
        self._as_planned_wh = 0.0
        self._forecasts: dict[str, tuple[float, float]] = {}
        """What sessions were first expected to cost, and to save."""

    async def run(self) -> None:
        """Go on until cancelled; Home Assistant may be away for a while."""
        told_slot, asked_at = -1, 0.0
        while True:
            now = time.time()
            self._add_up(now)
            with suppress(NotReachable, TimeoutError):
                slot = int(now // self._signal.prices.slot_s)
                if slot != told_slot:
                    await self._client.post(f"/api/states/{ENTITY}", self._signal.told(now))
                    told_slot = slot
                await self._say_wishes()
                if now - asked_at >= ASK_EVERY_S:
                    await self._look_at_plans(now)
                    asked_at = now
            await asyncio.sleep(LOOK_EVERY_S)

    def _add_up(self, now: float) -> None:
        price = self._signal.at(now)
        for outlet_id, outlet in self._simulated.truth.outlets.items():
            more_wh = outlet.register_wh - self._registers.get(outlet_id, outlet.register_wh)
            self._registers[outlet_id] = outlet.register_wh
            self._energy_wh[price] += more_wh
            if self._devices.get(outlet_id) in self._planned_now:
                self._as_planned_wh += more_wh

    async def _say_wishes(self) -> None:
        """Let drivers who have come say when they leave and how much they want."""
        for number, stay in enumerate(self._simulated.truth.sessions):
            if number in self._wished or stay.unplugged_at is not None:
                continue
            car = self._simulated.truth.outlets[stay.outlet_id].car
            if car is None or car.spec.stays_s is None or car.spec.wanted_kwh is None:
                self._wished.add(number)
                continue
            device = self._devices.get(stay.outlet_id) or await self._device_of(self._outlets[stay.outlet_id])
            self._devices[stay.outlet_id] = device
            leaves = time.time() + car.spec.stays_s - (self._simulated.now - stay.plugged_at)
            # Before Home Assistant knows that a vehicle stands there, nothing can be wished of it.
            with suppress(RequestRefused):
                async with self._client.websocket() as socket:
                    await socket.action(
                        f"{DOMAIN}.set_session",
                        device_id=[device],
                        departure=_spoken(leaves),
                        energy_kwh=car.spec.wanted_kwh,
                    )
                self._wished.add(number)

    async def _look_at_plans(self, now: float) -> None:
        planned = set()
        for session in (await self._ask("get_plan"))["sessions"]:
            if any(_moment(slot["start"]) <= now + 1.0 < _moment(slot["end"]) for slot in session["slots"]):
                planned.add(session["device_id"])
            if session["forecast_cost"] is not None and session["planned_kwh"] > 0.0:
                expected = (session["forecast_cost"], session["forecast_saving"] or 0.0)
                self._forecasts.setdefault(session["session_id"], expected)
        self._planned_now = planned

    async def _ask(self, action: str) -> Json:
        async with self._client.websocket() as socket:
            answer: Json = await socket.action(f"{DOMAIN}.{action}", answer=True, config_entry_id=self._site.entry_id)
        return answer

    async def account(self) -> Json:
        """Return what charging by price came to: by what truly flowed, and as Home Assistant says it."""
        self._add_up(time.time())
        sessions = (await self._ask("get_sessions"))["sessions"]
        whole_wh = sum(self._energy_wh.values())
        expected = [self._forecasts[each["session_id"]] for each in sessions if each["session_id"] in self._forecasts]
        return {
            "currency": next((each["currency"] for each in sessions if each["currency"]), None),
            "energy_kwh_by_price": {
                f"{price:g}": round(wh / WH_PER_KWH, 3) for price, wh in sorted(self._energy_wh.items()) if wh > 0.0
            },
            "true_cost": round(sum(price * wh for price, wh in self._energy_wh.items()) / WH_PER_KWH, 4),
            "told_cost": round(sum(each["cost"] or 0.0 for each in sessions), 4),
            "told_saving": round(sum(each["saving"] or 0.0 for each in sessions), 4),
            "unpriced_kwh": round(sum(each["unpriced_kwh"] for each in sessions), 3),
            "first_expected_cost": round(sum(cost for cost, _ in expected), 4),
            "first_expected_saving": round(sum(saving for _, saving in expected), 4),
            "taken_as_planned_share": None if whole_wh <= 0.0 else round(self._as_planned_wh / whole_wh, 3),
        }


def _spoken(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _moment(spoken: str) -> float:
    return datetime.fromisoformat(spoken).timestamp()
