"""A whole charge point: its connectors, its profiles, its power, and what it tells the central system.

`tick`, called by the site for all charge points in turn, moves everything on and never waits, so that hundreds of
charge points share one loop; `run` is the one task, which keeps up the conversation.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import inf

import aiohttp

from ..clock import PointClock, SimClock
from ..physics import SiteTruth
from ..profile_store import WHOLE_STATION, ProfileStore
from ..profiles import Profile, RateUnit, Stacks, Wiring, limit_at, phases_at
from .certificates import Certificates
from .configuration import Configuration
from .connector import Connector
from .conversation import Conversation
from .encryption import Encryption
from .link import Payload
from .local_list import ACCEPTED, LocalList
from .measurands import Feed, readings_of_feed
from .misbehaviour import IgnoredForm
from .outbox import Message
from .reservations import Reservations
from .spec import AfterPowerCut, ChargePointSpec, OcppVersion, StationMaximum, WattsBy
from .upkeep import Upkeep
from .v2 import voice as v2
from .v16 import voice as v16
from .voice import Voice

POWER_LOSS = "PowerLoss"

SOFT_RESET = "SoftReset"

BOOT_REASONS = {SOFT_RESET: "RemoteReset", "HardReset": "RemoteReset", "Firmware": "FirmwareUpdate"}
"""Why it starts up, as OCPP 2.x says it, after a restart for a reason; any other was its own idea."""


class ChargePoint:
    """A simulated charge point that talks OCPP 1.6J, 2.0.1 or 2.1."""

    def __init__(
        self, spec: ChargePointSpec, truth: SiteTruth, clock: SimClock, *, session: aiohttp.ClientSession, seed: int = 0
    ) -> None:
        """Build it with its outlets in the truth; it has power from `power_up` on."""
        self.spec = spec
        self.configuration = Configuration(spec)
        self.misbehaviour = replace(spec.misbehaviour)
        self.profiles = ProfileStore()
        self.local_list = LocalList()
        self.reservations = Reservations()
        self.certificates = Certificates()
        self.encryption = Encryption(spec.security, spec.version, self.certificates)
        self.firmware = spec.firmware
        self.firmware_update = Upkeep()
        self.log_upload = Upkeep()
        self.boot_reason = "PowerUp"
        self.voice: Voice = v16.Voice16(self) if spec.version is OcppVersion.V16 else v2.Voice2(self)
        self.connectors: dict[int, Connector] = {}
        for connector in spec.connectors:
            outlet = truth.outlets[connector.outlet_id]
            self.connectors[connector.number] = Connector(connector, outlet, self)
        self._truth = truth
        self._sim_clock = clock
        self._clock = PointClock(clock, offset_s=spec.clock_offset_s, drift_ppm=spec.clock_drift_ppm)
        self.conversation = Conversation(
            spec,
            self.configuration,
            self.misbehaviour,
            sim_clock=clock,
            clock=self._clock,
            encryption=self.encryption,
            session=session,
            dice=random.Random(f"{seed}:{spec.identity}"),
            voice=self.voice,
            tell_all=self.tell_all,
            registered=self._registered,
            tell_changes=self._tell_changes,
        )
        self._up_at: float | None = None
        self._down_at: float | None = None
        self._down_reason = ""
        self._offline_since: float | None = None
        self._restarts_when_idle = ""
        self._deeds: list[tuple[float, Callable[[], None]]] = []
        self.external_a: float | None = None
        """A limit on each connector by somebody else than the central system, None where there is none."""
        self._next_aligned: float | None = None
        self._next_feed = 0.0

    async def run(self, url: str) -> None:
        """Keep in touch with the central system until cancelled."""
        await self.conversation.run(url)

    async def stop(self) -> None:
        """Say goodbye to the central system."""
        await self.conversation.stop()

    # What connectors and commands ask of the station.

    @property
    def tally(self) -> Counter[str]:
        """Return what happened how often."""
        return self.conversation.tally

    @property
    def volts(self) -> float:
        """Return the present voltage of a phase."""
        return self._truth.volts

    @property
    def accepted(self) -> bool:
        """Return whether the central system accepted this charge point since its last restart."""
        return self.conversation.accepted

    @property
    def let_in(self) -> bool:
        """Return whether the central system lets it work: it was accepted, or never asks."""
        return self.connected and (self.accepted or self.misbehaviour.never_boots)

    @property
    def connected(self) -> bool:
        """Return whether there is a connection."""
        return self.conversation.connected.is_set()

    @property
    def powered(self) -> bool:
        """Return whether it runs: it has power and has started up."""
        return self.conversation.powered.is_set()

    @property
    def may_begin(self) -> bool:
        """Return whether transactions may begin: accepted, or out of reach and allowed to go on alone."""
        if self.accepted or self.misbehaviour.never_boots:
            return True
        return not self.connected and self.configuration.flag("AllowOfflineTxForUnknownId")

    @property
    def charging_sessions(self) -> int:
        """Return how many transactions run."""
        return sum(connector.transaction is not None for connector in self.connectors.values())

    def now(self) -> float:
        """Return virtual seconds."""
        return self._sim_clock.now()

    def site_now(self) -> float:
        """Return virtual seconds since the site began."""
        return self._truth.now

    def utc(self) -> float:
        """Return what its clock shows."""
        return self._clock.utc()

    def time_text(self) -> str:
        """Return what its clock shows, as OCPP writes it."""
        return self._clock.text()

    def stacks(self, number: int) -> Stacks:
        """Return the profiles that concern a connector, or the station as a whole for 0."""
        offline_s = 0.0 if self._offline_since is None else self.now() - self._offline_since
        if number == WHOLE_STATION:
            return self.profiles.station_only(offline_s=offline_s)
        transaction = self.connectors[number].transaction
        began = None if transaction is None else transaction.began_utc
        return self.profiles.stacks(number, transaction_began=began, offline_s=offline_s)

    def wiring(self, number: int) -> Wiring:
        """Return the hardware behind a connector, or of the station as a whole for 0."""
        if number == WHOLE_STATION:
            most = sum(connector.spec.maximum_a for connector in self.connectors.values())
            return Wiring(maximum_a=most, phases=max(one.spec.phases for one in self.connectors.values()))
        connector = self.connectors[number]
        phases, car = connector.outlet.connected_phases, connector.outlet.car
        if self.spec.watts_by is WattsBy.IN_USE and car is not None:
            phases = min(phases, car.spec.phases)
        return Wiring(maximum_a=connector.spec.maximum_a, phases=phases)

    def allowed_a(self, connector: Connector) -> float:
        """Return what the charging profiles allow a connector now."""
        wiring = self.wiring(connector.number)
        if self.external_a is not None:
            wiring = replace(wiring, maximum_a=min(wiring.maximum_a, self.external_a))
        if self.misbehaviour.ignores_limits:
            return wiring.maximum_a
        moment, prevails = self.utc(), self.misbehaviour.expired_prevails
        stacks = self._heeded(self.stacks(connector.number))
        own = limit_at(replace(stacks, station=()), moment, wiring, expired_prevails=prevails)
        if connector.unlimited and own > 0.0:
            return wiring.maximum_a
        if not stacks.station:
            return own
        whole = limit_at(replace(stacks, default=(), transaction=()), moment, replace(wiring, maximum_a=inf))
        return min(own, whole / self._sharers())

    def asked_phases(self, connector: Connector) -> int:
        """Return how many phases the charging profiles ask for now."""
        phases = connector.spec.phases
        if not self.spec.switches_phases or self.misbehaviour.ignores_limits:
            return phases
        stacks = self._heeded(self.stacks(connector.number))
        prevails = self.misbehaviour.expired_prevails
        return phases_at(stacks, self.utc(), phases=phases, expired_prevails=prevails)

    def _heeded(self, stacks: Stacks) -> Stacks:
        """Return the profiles that it takes notice of."""
        match self.misbehaviour.ignores_form:
            case IgnoredForm.TRANSACTION:
                return replace(stacks, transaction=())
            case IgnoredForm.AMPS:
                return replace(
                    stacks,
                    station=_in_watts(stacks.station),
                    default=_in_watts(stacks.default),
                    transaction=_in_watts(stacks.transaction),
                )
            case _:
                return stacks

    def _sharers(self) -> int:
        if self.spec.station_maximum is StationMaximum.EACH:
            return 1
        return max(1, sum(connector.transaction is not None for connector in self.connectors.values()))

    def install(self, number: int, profile: Profile, wording: Payload | None = None) -> None:
        """Take a charging profile that it accepted."""
        connector = self.connectors.get(number)
        if connector is not None:
            paused = connector.transaction is not None and self.allowed_a(connector) == 0.0
            connector.unlimited = paused and self.misbehaviour.forgets_limit_in_pause
        self.profiles.install(number, profile, wording)

    def forget_profiles(self, connector: Connector) -> None:
        """Forget the charging profiles of a connector's transaction."""
        connector.unlimited = False
        self.profiles.end_transaction(connector.number)

    # What it says.

    def say(self, action: str, payload: Payload) -> None:
        """Queue a message that is forgotten when the connection ends."""
        self.conversation.put(Message(action=action, payload=lambda: payload))

    def say_status(self, connector: Connector) -> None:
        """Queue the status of a connector."""
        connector.reported = connector.status
        late_s = self.misbehaviour.status_late_s
        if late_s <= 0.0:
            self.voice.say_status(connector)
            return

        def say_late() -> None:
            if self.conversation.listened_to:
                self.voice.say_status(connector)
            else:
                connector.reported = None  # it has to be told on the next connection

        self.later(late_s, say_late)

    def status_changed(self, connector: Connector) -> None:
        """Say the status of a connector, if anybody listens; otherwise it is said when somebody does."""
        if self.conversation.listened_to:
            self.say_status(connector)

    def authorise(self, connector: Connector, tag: str) -> None:
        """Ask whether a tag may charge: its own list where it may, or out of reach; else the central system."""
        listed = self.local_list.status_of(tag)
        if not self.connected:
            accepted = self.configuration.flag("LocalAuthorizeOffline") and listed in (None, ACCEPTED)
            connector.tag_answered(tag, accepted=accepted, now=self.now())
        elif listed == ACCEPTED and self.configuration.flag("LocalPreAuthorize"):
            connector.tag_answered(tag, accepted=True, now=self.now())
        else:
            self.voice.authorise(connector, tag)

    def tell_all(self) -> None:
        """Say the status of everything."""
        self.voice.say_station_status()
        for connector in self.connectors.values():
            self.say_status(connector)

    def _tell_changes(self) -> None:
        for connector in self.connectors.values():
            if connector.status is not connector.reported:
                self.say_status(connector)

    def _registered(self) -> None:
        self.tell_all()
        self.voice.registered()

    def limit_externally(self, amps: float | None) -> None:
        """Let somebody else limit what flows, such as the building's own energy management."""
        self.external_a = amps
        self.voice.limited_externally(amps)

    # Time and power.

    def later(self, seconds: float, deed: Callable[[], None]) -> None:
        """Do something after so many virtual seconds, unless the power goes away first."""
        self._deeds.append((self.now() + seconds, deed))

    def tick(self, now: float) -> None:
        """Move on to a virtual moment."""
        if self._down_at is not None and now >= self._down_at:
            self._down_at = None
            self._go_down(now, self._down_reason)
            self.conversation.lose_power(silently=False)
            if not (self.misbehaviour.stays_down and self.boot_reason == "RemoteReset"):
                self._up_at = now + self.spec.boot_s
        if self._up_at is not None and now >= self._up_at:
            self._up_at = None
            self.conversation.powered.set()
        if not self.powered:
            return
        self._count_offline(now)
        due = [deed for at, deed in self._deeds if at <= now]
        self._deeds = [(at, deed) for at, deed in self._deeds if at > now]
        for deed in due:
            deed()
        for connector in self.connectors.values():
            connector.tick(now)
        for reservation_id in self.reservations.expire(self.utc()):
            self.voice.reservation_ended(reservation_id, expired=True)
        self.firmware_update.tick(now, self.utc())
        self.log_upload.tick(now, self.utc())
        self._say_aligned_values(now)
        self._say_feed(now)
        if self.accepted:
            self.encryption.ask_when_due(now, self.utc(), self.voice.ask_for_certificate)
        self.voice.tick(now)
        self.conversation.tick(now)
        if self._restarts_when_idle and not self.charging_sessions:
            reason, self._restarts_when_idle = self._restarts_when_idle, ""
            self.restart_in(0.0, reason)

    def power_up(self, now: float, *, after_s: float | None = None) -> None:
        """Give it power; it has started up after its boot time or the one given."""
        if not self.powered and self._up_at is None:
            self._up_at = now + (self.spec.boot_s if after_s is None else after_s)

    def cut_power(self, now: float) -> None:
        """Take the power away: not a word to anybody, and the contactors fall."""
        self._down_at = self._up_at = None
        self._go_down(now, POWER_LOSS)
        self.boot_reason = "PowerUp"
        self.conversation.lose_power(silently=True)

    def restart_in(self, seconds: float, reason: str) -> None:
        """Restart soon; `reason` is what its transactions are stopped with."""
        if reason == SOFT_RESET:
            self._end_transactions(reason)
        self.boot_reason = BOOT_REASONS.get(reason, "LocalReset")
        self._down_reason = reason
        self._down_at = self.now() + seconds

    def restart_when_idle(self, reason: str) -> None:
        """Restart as soon as no transaction runs."""
        self._restarts_when_idle = reason

    def _count_offline(self, now: float) -> None:
        """Note since when it is out of reach, and give up the profiles that do not outlast that."""
        if self.connected:
            self._offline_since = None
            return
        if self._offline_since is None:
            self._offline_since = now
        self.profiles.stay_offline(now - self._offline_since)

    def _go_down(self, now: float, reason: str) -> None:
        if not self.powered:
            return
        if reason != POWER_LOSS or self.spec.after_power_cut is AfterPowerCut.ENDS:
            self._end_transactions(reason)
        for connector in self.connectors.values():
            connector.outlet.cut_off(now)
            connector.lose_power()
        self.profiles.lose_power(defaults_survive=self.spec.defaults_survive_power)
        self.voice.lose_power()
        self._deeds.clear()

    def _end_transactions(self, reason: str) -> None:
        for connector in self.connectors.values():
            connector.end(reason)

    def _say_feed(self, now: float) -> None:
        """Tell what the main meter of a master reads, as often as measured values are told."""
        interval = self.configuration.number("MeterValueSampleInterval")
        if not self.spec.main_meter or interval == 0 or now < self._next_feed or not self.accepted:
            return
        self._next_feed = now + interval
        account = self._truth.accounts[self.spec.main_meter]
        feed = Feed(amps=self._truth.amps(self.spec.main_meter), volts=self.volts, imported_wh=sum(account.imported_wh))
        readings = readings_of_feed(feed, self.configuration.names("MeterValuesSampledData"), "Sample.Periodic")
        if readings:
            self.voice.say_feed(readings)

    def _say_aligned_values(self, now: float) -> None:
        interval = self.configuration.number("ClockAlignedDataInterval")
        if interval == 0 or not self.accepted:
            self._next_aligned = None
            return
        if self._next_aligned is None:
            self._next_aligned = now + interval - self.utc() % interval
        if now < self._next_aligned:
            return
        self._next_aligned += interval
        names = self.configuration.names("MeterValuesAlignedData")
        context = "Sample.Clock"
        for connector in self.connectors.values():
            readings = connector.readings(names, context)
            self.voice.say_values(connector, connector.transaction, readings, context)


def _in_watts(profiles: tuple[Profile, ...]) -> tuple[Profile, ...]:
    return tuple(profile for profile in profiles if profile.schedule.unit is RateUnit.WATTS)
