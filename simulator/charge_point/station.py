"""A whole charge point: its connectors, its profiles, its power, and what it tells the central system.

`tick`, called by the site for all charge points in turn, moves everything on and never waits, so that hundreds of
charge points share one loop; `run` is the one task, which keeps up the conversation.
"""

import random
from collections import Counter
from dataclasses import replace
from math import inf

import aiohttp

from ..clock import PointClock, SimClock, utc_text
from ..physics import SiteTruth
from ..profile_store import WHOLE_STATION, ProfileStore
from ..profiles import Profile, RateUnit, Stacks, Wiring, limit_at
from . import commands
from .configuration import Configuration
from .connector import NO_TRANSACTION, Connector, Transaction
from .conversation import Conversation
from .link import Payload, Reply
from .outbox import Message
from .spec import AfterPowerCut, ChargePointSpec, IgnoredForm, StationMaximum, WattsBy

POWER_LOSS = "PowerLoss"


class ChargePoint:
    """A simulated charge point that talks OCPP 1.6J."""

    def __init__(
        self, spec: ChargePointSpec, truth: SiteTruth, clock: SimClock, *, session: aiohttp.ClientSession, seed: int = 0
    ) -> None:
        """Build it with its outlets in the truth; it has power from `power_up` on."""
        self.spec = spec
        self.configuration = Configuration(spec)
        self.misbehaviour = replace(spec.misbehaviour)
        self.profiles = ProfileStore()
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
            session=session,
            dice=random.Random(f"{seed}:{spec.identity}"),
            answer=self._answer,
            tell_all=self._tell_all,
            tell_changes=self._tell_changes,
        )
        self._up_at: float | None = None
        self._down_at: float | None = None
        self._down_reason = ""
        self._next_aligned: float | None = None

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

    def utc(self) -> float:
        """Return what its clock shows."""
        return self._clock.utc()

    def stacks(self, number: int) -> Stacks:
        """Return the profiles that concern a connector, or the station as a whole for 0."""
        if number == WHOLE_STATION:
            return self.profiles.station_only()
        transaction = self.connectors[number].transaction
        began = None if transaction is None else transaction.began_utc
        return self.profiles.stacks(number, transaction_began=began)

    def wiring(self, number: int) -> Wiring:
        """Return the hardware behind a connector, or of the station as a whole for 0."""
        if number == WHOLE_STATION:
            most = sum(connector.spec.maximum_a for connector in self.connectors.values())
            return Wiring(maximum_a=most, phases=max(one.spec.phases for one in self.connectors.values()))
        connector = self.connectors[number]
        phases, car = connector.spec.phases, connector.outlet.car
        if self.spec.watts_by is WattsBy.IN_USE and car is not None:
            phases = min(phases, car.spec.phases)
        return Wiring(maximum_a=connector.spec.maximum_a, phases=phases)

    def allowed_a(self, connector: Connector) -> float:
        """Return what the charging profiles allow a connector now."""
        wiring = self.wiring(connector.number)
        if self.misbehaviour.ignores_limits:
            return wiring.maximum_a
        moment, prevails = self.utc(), self.misbehaviour.expired_prevails
        stacks = self._heeded(self.stacks(connector.number))
        own = limit_at(replace(stacks, station=()), moment, wiring, expired_prevails=prevails)
        if not stacks.station:
            return own
        whole = limit_at(replace(stacks, default=(), transaction=()), moment, replace(wiring, maximum_a=inf))
        return min(own, whole / self._sharers())

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

    # What it says.

    def say(self, action: str, payload: Payload) -> None:
        """Queue a message that is forgotten when the connection ends."""
        self.conversation.put(Message(action=action, payload=lambda: payload))

    def say_status(self, connector: Connector) -> None:
        """Queue the status of a connector."""
        connector.reported = connector.status
        self._say_status_of(connector.number, str(connector.status), connector.fault)

    def status_changed(self, connector: Connector) -> None:
        """Say the status of a connector, if anybody listens; otherwise it is said when somebody does."""
        if self.conversation.listened_to:
            self.say_status(connector)

    def authorise(self, connector: Connector, tag: str) -> None:
        """Ask the central system whether a tag may charge; out of reach the charge point decides alone."""
        if not self.connected:
            connector.tag_answered(tag, accepted=self.configuration.flag("LocalAuthorizeOffline"), now=self._now())
            return
        self.conversation.put(
            Message(
                action="Authorize",
                payload=lambda: {"idTag": tag},
                answered=lambda answer: connector.tag_answered(tag, accepted=_accepted(answer), now=self._now()),
                given_up=lambda: connector.tag_answered(tag, accepted=False, now=self._now()),
            )
        )

    def start_remotely(self, connector: Connector, tag: str) -> None:
        """Begin a transaction that the central system asked for, after asking it for the tag where so configured."""
        if not self.configuration.flag("AuthorizeRemoteTxRequests"):
            connector.start_remotely(tag, self._now())
            return

        def answered(answer: Payload) -> None:
            if _accepted(answer):
                connector.start_remotely(tag, self._now())

        self.conversation.put(Message(action="Authorize", payload=lambda: {"idTag": tag}, answered=answered))

    def say_started(self, connector: Connector, transaction: Transaction) -> None:
        """Queue StartTransaction."""
        payload = {
            "connectorId": connector.number,
            "idTag": transaction.tag,
            "meterStart": connector.register(transaction),
            "timestamp": utc_text(transaction.began_utc),
        }

        def answered(answer: Payload) -> None:
            transaction_id = answer.get("transactionId", NO_TRANSACTION)
            connector.start_answered(transaction, transaction_id, accepted=_accepted(answer))

        self.conversation.put(
            Message(action="StartTransaction", payload=lambda: payload, of_transaction=True, answered=answered)
        )

    def say_stopped(self, connector: Connector, transaction: Transaction, reason: str, samples: list[Payload]) -> None:
        """Queue StopTransaction, and forget the transaction's profiles."""
        self.profiles.end_transaction(connector.number)
        payload: dict[str, object] = {
            "meterStop": connector.register(transaction),
            "timestamp": self._clock.text(),
            "reason": reason,
            "idTag": transaction.tag,
        }
        if samples:
            payload["transactionData"] = samples
        self.conversation.put(
            Message(
                action="StopTransaction",
                payload=lambda: {**payload, "transactionId": _id_of(transaction)},
                of_transaction=True,
            )
        )

    def say_values(self, connector: Connector, transaction: Transaction | None, values: Payload) -> None:
        """Queue MeterValues; those of a transaction outlive an outage."""

        def payload() -> Payload:
            stated: dict[str, object] = {"connectorId": connector.number, "meterValue": [values]}
            if transaction is not None and transaction.transaction_id is not None:
                stated["transactionId"] = transaction.transaction_id
            return stated

        self.conversation.put(Message(action="MeterValues", payload=payload, of_transaction=transaction is not None))

    def _tell_all(self) -> None:
        self._say_status_of(WHOLE_STATION, "Available", None)
        for connector in self.connectors.values():
            self.say_status(connector)

    def _tell_changes(self) -> None:
        for connector in self.connectors.values():
            if connector.status is not connector.reported:
                self.say_status(connector)

    def _say_status_of(self, number: int, status: str, fault: str | None) -> None:
        payload = {"connectorId": number, "status": status, "errorCode": fault or "NoError"}
        self.say("StatusNotification", {**payload, "timestamp": self._clock.text()})

    def _answer(self, action: str, payload: Payload) -> Reply:
        return commands.answer(self, action, payload)

    # Time and power.

    def tick(self, now: float) -> None:
        """Move on to a virtual moment."""
        if self._down_at is not None and now >= self._down_at:
            self._down_at = None
            self._go_down(now, self._down_reason)
            self.conversation.lose_power(silently=False)
            self._up_at = now + self.spec.boot_s
        if self._up_at is not None and now >= self._up_at:
            self._up_at = None
            self.conversation.powered.set()
        if not self.powered:
            return
        for connector in self.connectors.values():
            connector.tick(now)
        self._say_aligned_values(now)
        self.conversation.tick(now)

    def power_up(self, now: float, *, after_s: float | None = None) -> None:
        """Give it power; it has started up after its boot time or the one given."""
        if not self.powered and self._up_at is None:
            self._up_at = now + (self.spec.boot_s if after_s is None else after_s)

    def cut_power(self, now: float) -> None:
        """Take the power away: not a word to anybody, and the contactors fall."""
        self._down_at = self._up_at = None
        self._go_down(now, POWER_LOSS)
        self.conversation.lose_power(silently=True)

    def restart_in(self, seconds: float, reason: str) -> None:
        """Restart soon; `reason` is what its transactions are stopped with."""
        if reason == "SoftReset":
            self._end_transactions(reason)
        self._down_reason = reason
        self._down_at = self._now() + seconds

    def _go_down(self, now: float, reason: str) -> None:
        if not self.powered:
            return
        if reason != POWER_LOSS or self.spec.after_power_cut is AfterPowerCut.ENDS:
            self._end_transactions(reason)
        for connector in self.connectors.values():
            connector.outlet.cut_off(now)
            connector.lose_power()
        self.profiles.lose_power(defaults_survive=self.spec.defaults_survive_power)

    def _end_transactions(self, reason: str) -> None:
        for connector in self.connectors.values():
            connector.end(reason)

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
        for connector in self.connectors.values():
            self.say_values(connector, connector.transaction, connector.values(names, "Sample.Clock"))

    def _now(self) -> float:
        return self._sim_clock.now()


def _accepted(answer: Payload) -> bool:
    info = answer.get("idTagInfo")
    return isinstance(info, dict) and info.get("status") == "Accepted"


def _id_of(transaction: Transaction) -> int:
    return NO_TRANSACTION if transaction.transaction_id is None else transaction.transaction_id


def _in_watts(profiles: tuple[Profile, ...]) -> tuple[Profile, ...]:
    return tuple(profile for profile in profiles if profile.schedule.unit is RateUnit.WATTS)
