"""A simulated site and a real Home Assistant that manages it, brought up together and taken down together.

The order matters: charge points dial only when somebody listens (they would back off otherwise), meters answer before
the form that tries them, keys are typed in as soon as they are shown.
"""

import asyncio
import fcntl
import shutil
import signal
import socket
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from simulator import Scenario, SimClock, SimulatedSite
from simulator.charge_point.configuration import AUTHORIZATION_KEY

from .client import HomeAssistantClient, Json
from .commissioning import DEFAULT_ON_TIME_MIN, DOMAIN, LOOPBACK, CommissionedSite, Commissioning
from .figures import sessions_of
from .folder import prepare
from .home_assistant import HomeAssistantProcess
from .memory import Memory, fingerprint
from .prices import PriceSignal, PriceWatch, add_tariff

USER = "demo"
PASSWORD = "demo"  # noqa: S105 - Home Assistant listens on loopback only, and the log-in is printed
DEFAULT_PORT = 8123
DEFAULT_OCPP_PORT = 9000
DEFAULT_METER_PORT = 5020

MARK = ".charge_cluster_demo"
"""In folders that a demo made and may clear."""

KEYS_ARRIVE_WITHIN_S = 15.0
ALL_ONLINE_WITHIN_S = 90.0
POLL_S = 0.2


class SiteDidNotComeUp(Exception):
    """The site is not what it should be after the set-up; the message says what is missing."""


class FolderInUse(Exception):
    """Another demo runs in the same configuration folder."""


class PortTaken(Exception):
    """Home Assistant cannot listen where it was told to."""


class NotOurFolder(Exception):
    """The folder was not made by a demo, so that nothing in it may be cleared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where everything listens on loopback."""

    home_assistant: int
    ocpp: int
    meter: int
    """Of the first meter; the others follow."""


class Stage:
    """Everything that runs; `async with` brings it up, and leaves nothing running behind."""

    def __init__(
        self,
        scenario: Scenario,
        folder: Path,
        *,
        port: int | None = None,
        ports: Ports | None = None,
        fresh: bool = False,
        strangers: Collection[str] = (),
        on_time_min: float = DEFAULT_ON_TIME_MIN,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Name the site and the configuration folder.

        Args:
            scenario: what is simulated.
            folder: Home Assistant's configuration; made where it is missing.
            port: of Home Assistant; None: any free one.
            ports: all of them, where somebody else has seen to it that they are free.
            fresh: forget what an earlier run set up.
            strangers: charge points that nobody accepts; they go on dialling in.
            on_time_min: how long a car keeps its place where not all can charge at once.
            tell: hears of each step.
        """
        self.scenario = scenario
        self.folder = folder
        self._port = port
        self._ports = ports
        self._fresh = fresh
        self._accepted = [p.identity for p in scenario.charge_points if p.identity not in strangers]
        self._on_time_min = on_time_min
        self._tell = tell
        self._open = AsyncExitStack()
        self.prices: PriceWatch | None = None
        """What becomes of charging by price, where the scenario has prices."""
        self.simulated: SimulatedSite
        self.home_assistant = HomeAssistantProcess(folder, port=port or DEFAULT_PORT)
        self.client: HomeAssistantClient
        self.commissioning: Commissioning
        self.site: CommissionedSite
        self.ports: Ports
        self._signal: PriceSignal | None = None

    async def __aenter__(self) -> Self:
        """Bring everything up.

        Raises:
            FolderInUse: another demo runs in the folder.
            NotOurFolder: it holds something else.
            PortTaken: Home Assistant's port is in use.
            SiteDidNotComeUp: not everything that was set up came into being.
        """
        async with AsyncExitStack() as opening:
            self._lock_folder(opening)
            memory = self._remembered()
            self.ports = self._choose_ports(memory)
            prepare(self.folder, port=self.ports.home_assistant)
            await self._start_home_assistant(opening)
            self.commissioning = Commissioning(
                self.client, self.scenario, ocpp_port=self.ports.ocpp, on_time_min=self._on_time_min
            )
            prices = self.scenario.prices
            self._signal = None if prices is None else PriceSignal.from_now(prices)
            self.simulated = SimulatedSite(self._with_keys({} if memory is None else memory.keys), clock=SimClock())
            if memory is None:
                await self._set_up(opening)
            else:
                self.site = CommissionedSite(entry_id=memory.entry_id, circuits=memory.circuits, keys=memory.keys)
                await self._expect_loaded()
                await self._start_simulated(opening)
            await self._all_online()
            self._watch_prices(opening)
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take everything down."""
        await self._open.aclose()

    async def log_in(self) -> None:
        """Be the owner: the first one through the onboarding, later on by logging in."""
        if await self.client.has_owner():
            await self.client.log_in(USER, PASSWORD)
        else:
            await self.client.onboard(name="Demo", username=USER, password=PASSWORD)

    async def bring_keys(self, keys: Mapping[str, str]) -> None:
        """See to it that charge points have their keys.

        Those that wait are given theirs over the connection. Where that does not happen the installer walks up, types
        the key in, and lets the charge point dial again.
        """
        points = self.simulated.charge_points
        with suppress(TimeoutError):
            async with asyncio.timeout(KEYS_ARRIVE_WITHIN_S):
                while any(points[identity].configuration.key != key for identity, key in keys.items()):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(POLL_S)
        for identity, key in keys.items():
            if points[identity].configuration.key != key:
                self._tell(f"typing the key into {identity}")
                points[identity].configuration.change(AUTHORIZATION_KEY, key)
                points[identity].conversation.redial()

    async def accept_spare(self, identity: str) -> None:
        """Accept one of the strangers after all, and bring it its key."""
        await self.commissioning.all_waiting([identity])
        await self.commissioning.accept_discovered(self.site, identity)
        await self.bring_keys({identity: self.site.keys[identity]})

    async def rename_cluster(self, circuit_id: str, name: str) -> None:
        """Give a cluster another name."""
        await self.commissioning.rename_cluster(self.site, circuit_id, name)

    async def enable_a_disabled_entity(self) -> str:
        """Enable an entity that is disabled by default, and return its id; Home Assistant makes it a while later."""
        async with self.client.websocket() as socket:
            registered = await socket.call("config/entity_registry/list")
            entity_id = next(
                str(entity["entity_id"])
                for entity in registered
                if entity["config_entry_id"] == self.site.entry_id and entity["disabled_by"] == "integration"
            )
            await socket.call("config/entity_registry/update", entity_id=entity_id, disabled_by=None)
        return entity_id

    async def shows(self, entity_id: str, met: Callable[[str], bool], *, within_s: float) -> str:
        """Wait until an entity is there with a state that meets a condition, and return that state.

        Raises:
            TimeoutError: that does not happen in time.
        """
        async with asyncio.timeout(within_s), self.client.websocket() as socket:
            changes = await socket.subscribe("subscribe_entities", entity_ids=[entity_id])
            while True:
                event = await changes.events.get()
                change = event.get("a", {}).get(entity_id) or event.get("c", {}).get(entity_id, {}).get("+", {})
                if "s" in change and met(str(change["s"])):
                    return str(change["s"])

    async def entity_of(self, identity: str, key: str) -> str:
        """Return the id of an entity of a charge point's only connector."""
        unique_id = f"{await self._charge_point_id(identity)}/1-{key}"
        async with self.client.websocket() as socket:
            registered = await socket.call("config/entity_registry/list")
        return next(str(e["entity_id"]) for e in registered if e["platform"] == DOMAIN and e["unique_id"] == unique_id)

    async def device_of(self, identity: str) -> str:
        """Return the id of a charge point's device."""
        identifier = [DOMAIN, await self._charge_point_id(identity)]
        async with self.client.websocket() as socket:
            devices = await socket.call("config/device_registry/list")
        return next(str(device["id"]) for device in devices if identifier in device["identifiers"])

    async def _charge_point_id(self, identity: str) -> str:
        async with self.client.websocket() as socket:
            listed = await socket.call("config_entries/subentries/list", entry_id=self.site.entry_id)
        unique_id = f"charge_point:{identity}"
        return next(str(subentry["subentry_id"]) for subentry in listed if subentry["unique_id"] == unique_id)

    async def running_sessions(self) -> set[tuple[str, str]]:
        """Return the sessions that Home Assistant believes to run, each as its connector and its id."""
        recorded = await sessions_of(self.client, self.site)
        return {(session["connector"], session["session_id"]) for session in recorded if session["ended_at"] is None}

    async def first_ended_session(self, *, within_s: float) -> Json:
        """Wait until a session is recorded to its end, and return it.

        Raises:
            TimeoutError: none is, in time.
        """
        async with asyncio.timeout(within_s):
            while True:
                for session in await sessions_of(self.client, self.site):
                    if session["ended_at"] is not None:
                        return session
                await asyncio.sleep(POLL_S)

    async def start_again(self) -> None:
        """Start Home Assistant again after it was stopped or killed."""
        await self.home_assistant.start()
        await self.client.running()

    def kill_home_assistant(self) -> None:
        """End Home Assistant by force, at once."""
        self.home_assistant.send_signal(signal.SIGKILL)

    # Bringing up -----------------------------------------------------------------------------------------------------

    def _lock_folder(self, opening: AsyncExitStack) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = opening.enter_context(self.folder.with_suffix(".lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse(f"a demo runs in {self.folder} already; stop it or name another --folder") from None

    def _remembered(self) -> Memory | None:
        """Return what can be gone on with; where nothing can, what the folder holds is cleared."""
        memory = None if self._fresh else Memory.of(self.folder)
        if memory is not None and memory.site == fingerprint(self.scenario):
            taken = [port for port in (memory.ocpp_port, memory.meter_port) if not is_free(port)]
            if not taken:
                return memory
            self._tell(f"port {taken[0]}, which the site was set up with, is taken: setting up afresh")
        self._clear()
        return None

    def _clear(self) -> None:
        if any(self.folder.iterdir()) and not (self.folder / MARK).exists():
            raise NotOurFolder(f"{self.folder} holds something that is not of this demo; name an empty folder")
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        (self.folder / MARK).touch()

    def _choose_ports(self, memory: Memory | None) -> Ports:
        if self._ports is not None:
            return self._ports
        if self._port is not None and not is_free(self._port):
            raise PortTaken(f"port {self._port} is used by something else")
        return Ports(
            home_assistant=self._port or free_port(DEFAULT_PORT),
            ocpp=free_port(DEFAULT_OCPP_PORT) if memory is None else memory.ocpp_port,
            meter=free_port(DEFAULT_METER_PORT, count=len(self.scenario.meters))
            if memory is None
            else memory.meter_port,
        )

    def _with_keys(self, keys: Mapping[str, str]) -> Scenario:
        points = tuple(replace(point, key=keys.get(point.identity)) for point in self.scenario.charge_points)
        return replace(self.scenario, charge_points=points)

    async def _start_home_assistant(self, opening: AsyncExitStack) -> None:
        self._tell("starting Home Assistant")
        session = await opening.enter_async_context(aiohttp.ClientSession())
        self.home_assistant = HomeAssistantProcess(self.folder, port=self.ports.home_assistant)
        self.client = HomeAssistantClient(self.home_assistant.url, session)
        await opening.enter_async_context(self.home_assistant)
        await self.log_in()
        await self.client.running()

    async def _set_up(self, opening: AsyncExitStack) -> None:
        self._tell("adding the site and its clusters")
        self.site = await self.commissioning.build()
        await self._start_simulated(opening)
        for meter_id, port in self.simulated.meter_ports.items():
            self._tell(f"adding the meter {meter_id}")
            await self.commissioning.add_meter(self.site, meter_id, port)
        self._tell(f"accepting {len(self._accepted)} charge points that dial in")
        await self.commissioning.accept(self.site, self._accepted)
        await self.bring_keys(self.site.keys)
        await self._add_tariff()
        await self._choose_modes()
        Memory(
            site=fingerprint(self.scenario),
            entry_id=self.site.entry_id,
            ocpp_port=self.ports.ocpp,
            meter_port=self.ports.meter,
            circuits=self.site.circuits,
            keys=self.site.keys,
        ).keep(self.folder)

    async def _add_tariff(self) -> None:
        if self._signal is not None:
            self._tell("adding the tariff")
            await add_tariff(self.client, self.site, self._signal)

    def _watch_prices(self, opening: AsyncExitStack) -> None:
        if self._signal is None:
            return
        self.prices = PriceWatch(self.client, self.site, self.simulated, self._signal, self.device_of)
        watching = asyncio.create_task(self.prices.run())

        async def end() -> None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

        opening.push_async_callback(end)

    async def _choose_modes(self) -> None:
        """Choose the charging modes that the scenario names, as a person does on the entity."""
        for point in self.scenario.charge_points:
            if point.mode and point.identity in self._accepted:
                self._tell(f"{point.identity} charges in the mode {point.mode}")
                target = {"entity_id": await self.entity_of(point.identity, "mode")}
                async with self.client.websocket() as socket:
                    await socket.action("select.select_option", target=target, option=point.mode)

    async def _start_simulated(self, opening: AsyncExitStack) -> None:
        opening.push_async_callback(self.simulated.stop)
        trusted = await self.commissioning.authority() if self.commissioning.encrypted else None
        await self.simulated.start(f"ws://{LOOPBACK}:{self.ports.ocpp}", trusted=trusted, meter_port=self.ports.meter)

    async def _expect_loaded(self) -> None:
        async with self.client.websocket() as socket:
            entries = await socket.call("config_entries/get", domain=DOMAIN)
        states = {entry["entry_id"]: entry["state"] for entry in entries}
        if states.get(self.site.entry_id) != "loaded":
            raise SiteDidNotComeUp(f"the site is {states.get(self.site.entry_id, 'gone')}; begin again with --fresh")

    async def _all_online(self) -> None:
        points = self.simulated.charge_points
        try:
            async with asyncio.timeout(ALL_ONLINE_WITHIN_S):
                while not all(points[identity].let_in for identity in self._accepted):  # noqa: ASYNC110 - it is the other side that knows
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            missing = sorted(identity for identity in self._accepted if not points[identity].let_in)
            raise SiteDidNotComeUp(f"these charge points were not let in: {', '.join(missing)}") from None


def is_free(port: int) -> bool:
    """Return whether a port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(preferred: int, *, count: int = 1) -> int:
    """Return a port that is free, the preferred one if it is, with as many free ones behind it as are needed."""
    candidate = preferred
    while not all(is_free(port) for port in range(candidate, candidate + count)):
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            candidate = int(probe.getsockname()[1])
    return candidate
