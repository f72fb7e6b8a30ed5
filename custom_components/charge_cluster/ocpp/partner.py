"""Whom the central system talks with: one charge point, in whichever version it speaks when it dials in.

Listeners and wishes come here and are handed to the conversation of the version. A charge point that comes back with
another version after an update of its firmware is the same to them: what is known of it goes over (`Standing`), and how
its limits are worded is found out anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .connectors import ConnectorState
from .conversation import (
    DeviceFacts,
    KeyOutcome,
    LimitWish,
    Listener,
    Outcome,
    ProfileWrites,
    Report,
    StationMeasured,
    Terminals,
)
from .experience import Known, Topic
from .local_list import TokenPolicy
from .operations import Operations
from .quirks import Quirk
from .rpc import RpcLink
from .security.enrolment import Enrolment
from .standing import Services, Standing
from .times import ChargerClock
from .v2.conversation import Conversation2
from .v16.conversation import Conversation16
from .versions import WITHOUT_OFFER, OcppVersion

type Spoken = Conversation16 | Conversation2
"""A conversation in one version."""


class Partner:
    """One charge point. See `ocpp.conversation.Conversation`."""

    def __init__(self, identity: str, services: Services) -> None:
        """Begin without a connection."""
        self._identity = identity
        self._services = services
        self._standing = Standing(identity, services)
        self._spoken = self._in_version(WITHOUT_OFFER)
        self._left: list[Spoken] = []
        """Conversations in versions that it does not speak any more, which are about to end."""

    def _in_version(self, version: OcppVersion) -> Spoken:
        if version.is_2:
            return Conversation2(self._identity, self._services, version, self._standing)
        return Conversation16(self._identity, self._services, self._standing)

    @property
    def spoken(self) -> Spoken:
        """Return the conversation in the version that it speaks now, or spoke last."""
        return self._spoken

    @property
    def version(self) -> OcppVersion:
        """Return the version that it speaks now, or spoke last; for showing it only."""
        return self._spoken.version

    @property
    def identity(self) -> str:
        """Return the OCPP identity."""
        return self._identity

    @property
    def online(self) -> bool:
        """Return whether it can be talked to."""
        return self._spoken.online

    @property
    def device(self) -> DeviceFacts:
        """Return who it says it is."""
        return self._standing.device

    @property
    def connectors(self) -> Mapping[int, ConnectorState]:
        """Return the connectors that it has told of."""
        return self._standing.connectors

    @property
    def charger_clock(self) -> ChargerClock:
        """Return what is known of its clock."""
        return self._standing.charger_clock

    @property
    def expiry_error_s(self) -> float:
        """Return how much sooner or later than its validity a limit may end, for what is known of the clock."""
        return self._spoken.expiry_error_s

    @property
    def kept_at_fallback(self) -> bool:
        """Return whether nobody is given more than the fallback here, since no limit would end by itself."""
        return self._spoken.kept_at_fallback

    @property
    def measures_on_demand(self) -> bool:
        """Return whether it sends a measurement when it is asked for one, as far as is known."""
        return self._spoken.measures_on_demand

    @property
    def operations(self) -> Operations:
        """Return what can be asked of it beyond charging."""
        return self._spoken.operations

    def running_transaction(self, connector: int) -> int | None:
        """Return the id of the transaction that runs at a connector."""
        return self._spoken.running_transaction(connector)

    @property
    def known(self) -> Mapping[Topic, Known]:
        """Return what was found out about it, and what is remembered of its model."""
        return self._standing.experience.all

    def found_out(self, topic: Topic, finding: str) -> None:
        """Take note of what was found out about it above the wire, for others of its model as well."""
        self._standing.experience.learned(topic, finding)

    def is_overruled(self, connector: int) -> bool:
        """Return whether a profile of somebody else, which could not be taken out, may govern in place of ours."""
        return self._spoken.is_overruled(connector)

    @property
    def quirks(self) -> frozenset[Quirk]:
        """Return what its make is known for."""
        return self._spoken.quirks

    @property
    def station(self) -> StationMeasured | None:
        """Return what the meter of the charge point itself told last; None: it told nothing."""
        return self._standing.station

    def want_station_values(self, interval_s: int) -> None:
        """Have it tell what its own meter reads so often, from now on and after each boot."""
        self._spoken.want_station_values(interval_s)

    def profile_writes(self, connector: int) -> ProfileWrites:
        """Return how many profiles it was sent for a connector."""
        return self._spoken.profile_writes(connector)

    def describe(self, terminals: Terminals) -> None:
        """Say what is known of a connector by configuration."""
        self._spoken.describe(terminals)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have facts reported, the present state at once; return what ends it."""
        return self._spoken.listen(listener)

    def present_state(self) -> Sequence[Report]:
        """Return the facts that describe the present state."""
        return self._spoken.present_state()

    # -- connections --------------------------------------------------------------------------------------------------

    def attach(self, link: RpcLink, *, device: DeviceFacts | None = None) -> None:
        """Go on over a new connection, in the version of that; see `Dialogue.attach`."""
        if link.version is not self._spoken.version:
            self._spoken.leave()
            self._left = [left for left in (*self._left, self._spoken) if left.under_way]
            self._spoken = self._in_version(link.version)
        self._spoken.attach(link, device=device)

    def detach(self, link: RpcLink) -> None:
        """Note that a connection has ended, unless a newer one took its place."""
        self._spoken.detach(link)

    def provision_key(self, key: str, done: Callable[[], None]) -> None:
        """Give the charger a new key as soon as it is set up; `done` is called when it took it."""
        self._spoken.provision_key(key, done)

    def keep_tokens(self, policy: TokenPolicy | None) -> None:
        """Say what it is to decide without us, soon and after each restart of it; None: that is left alone."""
        self._spoken.keep_tokens(policy)

    def tick(self) -> None:
        """Look what time has done; called every second or so."""
        self._spoken.tick()

    async def close(self) -> None:
        """End everything that runs for this charge point."""
        left, self._left = self._left, []
        for spoken in (*left, self._spoken):
            await spoken.close()

    # -- who it is for sure -------------------------------------------------------------------------------------------

    @property
    def enrolment(self) -> Enrolment:
        """Return what gives it a certificate of its own."""
        return self._spoken.enrolment

    async def request_certificate(self) -> None:
        """Have it ask for a certificate of its own. Raises NotReachable, Refused."""
        await self._spoken.request_certificate()

    async def change_key(self, key: str) -> KeyOutcome:
        """Have it use another key. Raises NotReachable: it was not even asked."""
        return await self._spoken.change_key(key)

    # -- wishes -------------------------------------------------------------------------------------------------------

    async def hold_limit(self, connector: int, wish: LimitWish) -> Outcome:
        """Make the connector draw no more than a limit. Never raises."""
        return await self._spoken.hold_limit(connector, wish)

    async def store_fallback(self, connector: int, fallback_a: float) -> Outcome:
        """Make the charge point hold a permanent fallback. Never raises."""
        return await self._spoken.store_fallback(connector, fallback_a)

    async def start(self, connector: int, id_tag: str) -> None:
        """Start a transaction from here. Raises NotReachable, Refused."""
        await self._spoken.start(connector, id_tag)

    async def stop(self, connector: int) -> None:
        """Stop the running transaction. Raises NotReachable, Refused."""
        await self._spoken.stop(connector)

    async def reset(self, *, hard: bool) -> None:
        """Restart the charge point. Raises NotReachable, Refused."""
        await self._spoken.reset(hard=hard)

    async def unlock(self, connector: int) -> None:
        """Release the plug. Raises NotReachable, Refused."""
        await self._spoken.unlock(connector)

    async def set_availability(self, connector: int, *, operative: bool) -> None:
        """Take a connector (0: all) out of service or back. Raises NotReachable, Refused."""
        await self._spoken.set_availability(connector, operative=operative)

    async def refresh(self) -> None:
        """Ask for the present state. Raises NotReachable, Refused."""
        await self._spoken.refresh()

    async def measure_station(self) -> None:
        """Ask what its own meter reads; it comes as `StationMeasured`. Raises NotReachable, Refused."""
        await self._spoken.measure_station()

    async def measure(self, connector: int) -> None:
        """Ask for a measurement now; it comes as `Measured`. Raises NotReachable, Refused."""
        await self._spoken.measure(connector)
