"""Sets a site up in Home Assistant as its electrician would: form by form, out of what the simulated site really is.

Nothing is written past the forms. Keys that the integration made up are read off the form that shows them, and typed
into the charge points by whoever calls this.
"""

import asyncio
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from simulator.building import SupplyAmps
from simulator.charge_point.spec import Security
from simulator.meter import Sees
from simulator.physics import CircuitSpec
from simulator.scenario import Scenario

from .client import CONFIG_FLOW, SUBENTRY_FLOW, FormRefused, HomeAssistantClient, Json

DOMAIN = "charge_cluster"
SUPPLY = "supply"
"""What the forms call the supply among the circuits."""

LOOPBACK = "127.0.0.1"
"""A simulated site is nobody else's business."""

DEFAULT_ON_TIME_MIN = 15.0
"""What the form suggests."""

POLL_S = 0.2

ROTATIONS: Mapping[tuple[int, ...], str] = {
    (0, 1, 2): "l1_l2_l3",
    (1, 2, 0): "l2_l3_l1",
    (2, 0, 1): "l3_l1_l2",
    (0, 2, 1): "l1_l3_l2",
    (1, 0, 2): "l2_l1_l3",
    (2, 1, 0): "l3_l2_l1",
    (0,): "l1",
    (1,): "l2",
    (2,): "l3",
}
"""What the forms call the supply phases that L1, L2, L3 of an outlet are wired to."""

SCOPES: Mapping[Sees, str] = {
    Sees.EVERYTHING: "everything",
    Sees.BASE_LOAD: "all_but_evs",
    Sees.CHARGING: "evs_only",
}
"""What the forms call what a meter sees."""

KEY_ROW = re.compile(r"\|\s*(?P<identity>[^|\s]+)\s*\|\s*`(?P<key>[^`]+)`\s*\|")
"""One charge point in the table of keys that the form shows."""


@dataclass(slots=True, kw_only=True)
class CommissionedSite:
    """A site as Home Assistant knows it."""

    entry_id: str
    circuits: dict[str, str] = field(default_factory=dict)
    """Ids in the forms by circuit of the scenario."""
    keys: dict[str, str] = field(default_factory=dict)
    """Keys made for the charge points, by identity."""


class Commissioning:
    """Fills in the forms."""

    def __init__(
        self,
        client: HomeAssistantClient,
        scenario: Scenario,
        *,
        ocpp_port: int,
        on_time_min: float = DEFAULT_ON_TIME_MIN,
    ) -> None:
        """Set up what a scenario describes; its charge points dial this port, and places are kept for so long."""
        self._client = client
        self._scenario = scenario
        self._ocpp_port = ocpp_port
        self._on_time_min = on_time_min
        self._outlets = {outlet.outlet_id: outlet for outlet in scenario.outlets}

    async def build(self) -> CommissionedSite:
        """Add the site and its clusters; from now on charge points can dial in."""
        site = CommissionedSite(entry_id=await self._add_supply())
        for circuit in _from_the_top(self._scenario.circuits):
            if circuit.parent_id is None:
                site.circuits[circuit.circuit_id] = SUPPLY
            else:
                site.circuits[circuit.circuit_id] = await self._add_cluster(site, circuit)
        return site

    async def accept(self, site: CommissionedSite, identities: Iterable[str], *, within_s: float = 60.0) -> None:
        """Accept charge points that dial in: the first of them by its discovery, the others many at a time.

        Raises:
            TimeoutError: not all of them dialled in.
        """
        wanted = list(identities)
        await self.all_waiting(wanted, within_s=within_s)
        await self.accept_discovered(site, wanted[0])
        groups: dict[tuple[str, str, float, str], list[str]] = defaultdict(list)
        for identity in wanted[1:]:
            if len(self._outlet_ids(identity)) == 1:
                groups[(*self._kind(identity), self._security(identity))].append(identity)
            else:
                await self.accept_discovered(site, identity)
        for (circuit_id, rotation, maximum_a, security), members in groups.items():
            common = {
                "cluster": site.circuits[circuit_id],
                "maximum": maximum_a,
                "rotation": rotation,
                "security": security,
            }
            await self._accept_many(site, {"identities": members, **common})

    async def accept_discovered(self, site: CommissionedSite, identity: str) -> None:
        """Accept one charge point through its discovery."""
        flow = await self._discovery(identity)
        if flow["type"] == "menu":
            # Others wait that seem to belong to it.
            flow = await self._client.go_on(CONFIG_FLOW, flow, {"next_step_id": "alone"})
        circuit_id, rotation, maximum_a = self._kind(identity)
        outlets = self._outlet_ids(identity)
        turning = len({self._outlets[outlet].rotation for outlet in outlets}) > 1
        step = await self._client.go_on(
            CONFIG_FLOW,
            flow,
            {
                "name": self._name(identity),
                "cluster": site.circuits[circuit_id],
                "connectors": len(outlets),
                "maximum": maximum_a,
                "rotation": rotation,
                "security": self._security(identity),
                "advanced": {"minimum": 6, "step": 1, "priority": 0, "onward": turning},
            },
        )
        site.keys[identity] = step["description_placeholders"]["key"]
        _expect("charge_point_added", await self._client.go_on(CONFIG_FLOW, step, {}))

    async def add_meter(self, site: CommissionedSite, meter_id: str, port: int) -> None:
        """Add a meter over Modbus, which must be there to be tried."""
        meter = next(meter for meter in self._scenario.meters if meter.meter_id == meter_id)
        step = await self._client.walk(
            SUBENTRY_FLOW,
            {"handler": [site.entry_id, "meter"]},
            {"next_step_id": "modbus"},
            {
                "name": "Supply meter" if site.circuits[meter.circuit_id] == SUPPLY else meter_id,
                "circuit": site.circuits[meter.circuit_id],
                "host": LOOPBACK,
                "port": port,
                "unit": meter.unit,
                "scope": SCOPES[meter.sees],
                "advanced": {"interval": meter.interval_s},
            },
            {},
        )
        _created(step)

    async def all_waiting(self, identities: Iterable[str], *, within_s: float = 60.0) -> None:
        """Wait until charge points wait at the door.

        Raises:
            TimeoutError: not all of them dialled in.
        """
        missing = set(identities)
        try:
            async with asyncio.timeout(within_s):
                while missing := missing - {_identity(flow) for flow in await self._discoveries()}:  # noqa: ASYNC110 - Home Assistant offers no event that says who
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise TimeoutError(f"these charge points have not dialled in: {', '.join(sorted(missing))}") from None

    async def rename_cluster(self, site: CommissionedSite, circuit_id: str, name: str) -> None:
        """Give a cluster another name."""
        circuit = next(circuit for circuit in self._scenario.circuits if circuit.circuit_id == circuit_id)
        step = await self._client.walk(
            SUBENTRY_FLOW,
            {"handler": [site.entry_id, "cluster"], "subentry_id": site.circuits[circuit_id]},
            self._cluster_form(site, circuit, name),
        )
        _expect("reconfigure_successful", step)

    async def subentry_id(self, entry_id: str, title: str) -> str:
        """Return the id of what has this name."""
        async with self._client.websocket() as socket:
            listed = await socket.call("config_entries/subentries/list", entry_id=entry_id)
        return next(str(subentry["subentry_id"]) for subentry in listed if subentry["title"] == title)

    async def _add_supply(self) -> str:
        supply = next(circuit for circuit in self._scenario.circuits if circuit.parent_id is None)
        step = await self._client.walk(
            CONFIG_FLOW,
            {"handler": DOMAIN},
            {
                "name": supply.name,
                **_ratings(supply.rating_a, {"host": LOOPBACK, "on_time": self._on_time_min, **_generation(supply)}),
                "phases": "3",
                "base_load": self._worst_base_load(supply),
                "port": self._ocpp_port,
                **({"encryption": {"tls": "authority"}} if self.encrypted else {}),
            },
        )
        return str(_created(step)["result"]["entry_id"])

    async def _add_cluster(self, site: CommissionedSite, circuit: CircuitSpec) -> str:
        step = await self._client.walk(
            SUBENTRY_FLOW,
            {"handler": [site.entry_id, "cluster"]},
            self._cluster_form(site, circuit, circuit.name),
        )
        _created(step)
        return await self.subentry_id(site.entry_id, circuit.name)

    def _cluster_form(self, site: CommissionedSite, circuit: CircuitSpec, name: str) -> Json:
        return {
            "name": name,
            "parent": site.circuits[circuit.parent_id or ""],
            **_ratings(circuit.rating_a, {}),
            "base_load": self._worst_base_load(circuit),
        }

    async def _accept_many(self, site: CommissionedSite, form: Json) -> None:
        step = await self._client.walk(
            CONFIG_FLOW,
            {"handler": DOMAIN, "entry_id": site.entry_id},
            {"next_step_id": "waiting"},
            form,
        )
        shown = step["description_placeholders"]["keys"]
        site.keys |= {row["identity"]: row["key"] for row in KEY_ROW.finditer(shown)}
        _expect("charge_points_added", await self._client.go_on(CONFIG_FLOW, step, {}))

    async def _discovery(self, identity: str) -> Json:
        flow = next(flow for flow in await self._discoveries() if _identity(flow) == identity)
        step: Json = await self._client.get(f"{CONFIG_FLOW}/{flow['flow_id']}")
        return step

    async def _discoveries(self) -> list[Json]:
        async with self._client.websocket() as socket:
            flows = await socket.call("config_entries/flow/progress")
        return [flow for flow in flows if flow["handler"] == DOMAIN]

    @property
    def encrypted(self) -> bool:
        """Return whether any charge point dials over TLS."""
        return any(point.security is not Security.PLAIN for point in self._scenario.charge_points)

    async def authority(self) -> str:
        """Return the certificate that charge points know the site by, as installers fetch it."""
        return await self._client.text(f"/api/{DOMAIN}/authority.pem")

    def _security(self, identity: str) -> str:
        """Return the least that a charge point has to prove; its key over TLS is what it begins with."""
        point = next(point for point in self._scenario.charge_points if point.identity == identity)
        return "basic" if point.security is Security.PLAIN else "tls"

    def _outlet_ids(self, identity: str) -> list[str]:
        point = next(point for point in self._scenario.charge_points if point.identity == identity)
        return [connector.outlet_id for connector in point.connectors]

    def _name(self, identity: str) -> str:
        return next(point.name for point in self._scenario.charge_points if point.identity == identity)

    def _kind(self, identity: str) -> tuple[str, str, float]:
        """Return circuit, rotation and maximum of a charge point's first connector."""
        outlet = self._outlets[self._outlet_ids(identity)[0]]
        return outlet.circuit_id, ROTATIONS[outlet.rotation], outlet.maximum_a

    def _worst_base_load(self, circuit: CircuitSpec) -> float:
        """Return the most that a circuit and those below it carry besides charging, on any phase."""
        below = sum(
            self._worst_base_load(child) for child in self._scenario.circuits if child.parent_id == circuit.circuit_id
        )
        highest = max((max(change.amps) for change in circuit.load.changes), default=0.0)
        highest = max(highest, 0.0)
        return round(below + highest + circuit.load.noise_a + 0.05, 1)


def _identity(flow: Json) -> str:
    return str(flow["context"].get("unique_id", "")).removeprefix("newcomer:")


def _from_the_top(circuits: Iterable[CircuitSpec]) -> list[CircuitSpec]:
    """Return circuits with each parent before its children."""
    left, ordered = list(circuits), list[CircuitSpec]()
    while left:
        known: set[str | None] = {None, *(circuit.circuit_id for circuit in ordered)}
        ready = [circuit for circuit in left if circuit.parent_id in known]
        ordered += ready
        left = [circuit for circuit in left if circuit not in ready]
    return ordered


def _ratings(amps: SupplyAmps, advanced: Mapping[str, object]) -> Json:
    each = {f"rating_l{number}": rating for number, rating in enumerate(amps, start=1)} if len(set(amps)) > 1 else {}
    return {"rating": min(amps), "advanced": {**advanced, **each}}


def _generation(circuit: CircuitSpec) -> Json:
    """Return what an electrician declares that may be fed in, where anything is."""
    lowest = min((min(change.amps) for change in circuit.load.changes), default=0.0)
    return {"generation": math.ceil(circuit.load.noise_a - lowest)} if lowest < 0.0 else {}


def _created(step: Json) -> Json:
    if step["type"] != "create_entry":
        raise FormRefused(f"nothing was created: {step}")
    return step


def _expect(reason: str, step: Json) -> None:
    if step.get("reason") != reason:
        raise FormRefused(f"{reason} was expected: {step}")
