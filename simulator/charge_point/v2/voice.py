"""What a charge point says in OCPP 2.0.1 and 2.1.

A transaction is told by events: it has an identity that the charge point chooses, and its events are numbered. What
OCPP 1.6 says with the status of a connector is said here by the state of the transaction.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from ...clock import utc_text
from ...profile_store import WHOLE_STATION
from ...vehicle import Car
from ..link import Payload, Reply
from ..local_list import ACCEPTED
from ..measurands import Reading
from ..outbox import Message
from ..spec import OcppVersion
from ..upkeep_commands import sign_certificate
from . import commands
from .charging import composite_periods
from .device_model import DeviceModel
from .monitoring import Monitors
from .words import CONNECTOR_ID, OTHER_REASON, STOPPED_REASONS, charging_state, connector_status

if TYPE_CHECKING:
    from ..connector import Connector, Transaction
    from ..station import ChargePoint

CARD = "ISO14443"
"""Kind of a token that somebody showed."""

NO_TOKEN: Payload = {"idToken": "", "type": "NoAuthorization"}
"""What a transaction has that needs nobody's leave."""

SCHEDULE_S = 3600
"""How far ahead a car tells its schedule."""

EXTERNAL_SOURCE = "EMS"
"""Who limits what flows besides the central system: the building's energy management."""

FOREIGN_TRANSACTION = "00000000-0000-4000-8000-000000000000"
"""Identity of a transaction that never was."""

EV_MAXIMUM_V = 400

TRANSFERS = {1: "AC_single_phase", 2: "AC_two_phase", 3: "AC_three_phase"}

TRIGGERS = {"Sample.Clock": "MeterValueClock", "Trigger": "Trigger"}
"""What triggered an event, by the context of its values; otherwise the interval did."""


@dataclass(slots=True, kw_only=True)
class Thread:
    """The events of one transaction."""

    said: int = 0
    state: str = ""
    """The state that was told last."""
    remote_start_id: int | None = None


class Voice2:
    """The wording of OCPP 2.0.1 and 2.1."""

    error_codes: Mapping[str, str] = {
        "FormationViolation": "FormatViolation",
        "OccurenceConstraintViolation": "OccurrenceConstraintViolation",
    }
    answers_rubbish = True

    def __init__(self, station: ChargePoint) -> None:
        """Speak for a charge point."""
        self.subprotocol = f"ocpp{station.spec.version}"
        self.token_kinds: dict[str, str] = {}
        """Kinds of the tokens that the central system named; others are cards."""
        self.triggered_boot = False
        self._station = station
        self._interrupted: set[str] = set()
        self._remote_starts: dict[int, int] = {}
        self._threads: dict[str, Thread] = {}
        self._dice = random.Random(f"transactions of {station.spec.identity}")
        self._model: DeviceModel | None = None
        self._monitors: Monitors | None = None

    @property
    def model(self) -> DeviceModel:
        """Return the device model, which is built when the station is whole."""
        if self._model is None:
            self._model = DeviceModel(self._station)
        return self._model

    @property
    def monitors(self) -> Monitors:
        """Return the monitors of its variables."""
        if self._monitors is None:
            self._monitors = Monitors(self._station, self.model)
        return self._monitors

    def boot(self) -> Payload:
        """Return a BootNotification."""
        spec = self._station.spec
        reason = "Triggered" if self.triggered_boot else self._station.boot_reason
        self.triggered_boot = False
        return {
            "reason": reason,
            "chargingStation": {
                "vendorName": spec.vendor[:50],
                "model": spec.model[:20],
                "serialNumber": spec.serial_number,
                "firmwareVersion": self._station.firmware[:50],
            },
        }

    def answer(self, action: str, payload: Payload) -> Reply:
        """Return the answer to a call.

        Raises:
            CallFault: the call is unknown, malformed or refused with an error.
        """
        return commands.answer(self._station, self, action, payload)

    def tick(self, now: float) -> None:
        """Say what its monitors notice."""
        self.monitors.tick(now)

    def registered(self) -> None:
        """Tell of the restart, where security events are told, and in OCPP 2.1 that transactions go on."""
        self._say_resumed()
        if self._station.spec.security_events:
            self.security_event("StartupOfTheDevice")

    def lose_power(self) -> None:
        """Forget what the central system asked for."""
        self._remote_starts.clear()
        self.monitors.lose_power()
        running = (connector.transaction_id for connector in self._station.connectors.values())
        self._interrupted = {str(identity) for identity in running if identity is not None}

    def security_event(self, kind: str) -> None:
        """Queue a SecurityEventNotification."""
        self._station.say("SecurityEventNotification", {"type": kind, "timestamp": self._station.time_text()})

    def ask_for_certificate(self) -> None:
        """Queue SignCertificate."""
        asked = {"csr": sign_certificate(self._station), "certificateType": "ChargingStationCertificate"}
        self._station.say("SignCertificate", asked)

    def say_station_status(self) -> None:
        """Say nothing, since only connectors have a status, unless it believes in an EVSE 0."""
        if self._station.misbehaviour.tells_evse_zero:
            status = {"connectorStatus": "Available", "evseId": 0, "connectorId": 0}
            self._station.say("StatusNotification", {"timestamp": self._station.time_text(), **status})

    def say_status(self, connector: Connector) -> None:
        """Queue the status of the connector of an EVSE."""
        payload = {
            "timestamp": self._station.time_text(),
            "connectorStatus": connector_status(connector),
            "evseId": connector.number,
            "connectorId": CONNECTOR_ID,
        }
        self._station.say("StatusNotification", payload)

    def charging_changed(self, connector: Connector) -> None:
        """Queue an event where the transaction does something else than it was last told to do."""
        transaction = connector.transaction
        if transaction is None or self._thread(transaction).state == charging_state(connector):
            return
        self._say_event(connector, transaction, "Updated", "ChargingStateChanged")

    def car_came(self, connector: Connector) -> None:
        """Begin a transaction with the plug, where the settings say so."""
        starts = self._station.configuration.names("TxStartPoint")
        if "EVConnected" in starts and self._station.may_begin and connector.operative and connector.fault is None:
            connector.open(self._station.now())

    def authorise(self, connector: Connector, tag: str) -> None:
        """Queue Authorize for a token that was shown."""
        now = self._station.now
        self._station.conversation.put(
            Message(
                action="Authorize",
                payload=lambda: {"idToken": self._token(tag)},
                answered=lambda answer: connector.tag_answered(tag, accepted=_accepted(answer), now=now()),
                given_up=lambda: connector.tag_answered(tag, accepted=False, now=now()),
            )
        )

    def start_remotely(self, connector: Connector, tag: str) -> None:
        """Begin a transaction that the central system asked for, after asking it for the token where so configured."""
        if not self._station.configuration.flag("AuthorizeRemoteTxRequests"):
            connector.start_remotely(tag, self._station.now())
            return

        def answered(answer: Payload) -> None:
            if _accepted(answer):
                connector.start_remotely(tag, self._station.now())

        payload = {"idToken": self._token(tag)}
        self._station.conversation.put(Message(action="Authorize", payload=lambda: payload, answered=answered))

    def say_started(self, connector: Connector, transaction: Transaction) -> None:
        """Queue the first event of a transaction, and choose its identity."""
        transaction.transaction_id = str(UUID(int=self._dice.getrandbits(128), version=4))
        thread = self._thread(transaction)
        names = self._station.configuration.names("TxStartedMeasurands")
        more: dict[str, object] = {}
        trigger = "CablePluggedIn"
        if transaction.authorised:
            trigger = self._authorisation(connector, transaction, thread, more)
        readings = connector.readings(names, "Transaction.Begin")
        self._say_event(connector, transaction, "Started", trigger, more=more, readings=readings)
        if transaction.authorised:
            self._say_needs(connector)

    def say_authorised(self, connector: Connector, transaction: Transaction) -> None:
        """Queue the event that somebody may charge now."""
        more: dict[str, object] = {}
        trigger = self._authorisation(connector, transaction, self._thread(transaction), more)
        self._say_event(connector, transaction, "Updated", trigger, more=more)
        self._say_needs(connector)

    def say_stopped(
        self, connector: Connector, transaction: Transaction, reason: str, readings: Sequence[Reading]
    ) -> None:
        """Queue the last event of a transaction."""
        stopped, trigger = STOPPED_REASONS.get(reason, OTHER_REASON)
        more = {} if transaction.tag is None else {"idToken": self._token_of(transaction)}
        self._say_event(connector, transaction, "Ended", trigger, more=more, readings=readings, stopped=stopped)
        if self._station.misbehaviour.values_after_stop:
            names = self._station.configuration.names("MeterValuesSampledData")
            context = "Sample.Periodic"
            self.say_values(connector, transaction, connector.readings(names, context), context)
        self._threads.pop(str(transaction.transaction_id), None)

    def say_values(
        self, connector: Connector, transaction: Transaction | None, readings: Sequence[Reading], context: str
    ) -> None:
        """Queue measured values: an event of the transaction, or MeterValues where none runs."""
        if transaction is not None and not self._station.misbehaviour.values_apart:
            trigger = TRIGGERS.get(context, "MeterValuePeriodic")
            self._say_event(connector, transaction, "Updated", trigger, readings=readings)
            return
        if not readings:
            return
        values = [meter_value(readings, self._station.utc())]
        self._station.say("MeterValues", {"evseId": connector.number, "meterValue": values})

    def expect(self, connector: Connector, tag: str, kind: str, start_id: int) -> None:
        """Note what a remote start asks for, until a transaction comes of it."""
        self.token_kinds[tag] = kind or CARD
        self._remote_starts[connector.number] = start_id

    def say_schedule(self, number: int) -> None:
        """Tell the schedule that a talking car made of a new profile."""
        connector = self._station.connectors.get(number)
        if connector is None or connector.free or connector.car is None or not connector.car.spec.iso15118:
            return
        unit = "A" if "Current" in self._station.spec.rate_units else "W"
        schedule = {
            "id": 1,
            "duration": SCHEDULE_S,
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": composite_periods(self._station, number, SCHEDULE_S, unit),
        }
        payload = {"timeBase": self._station.time_text(), "evseId": number, "chargingSchedule": schedule}
        self._station.say("NotifyEVChargingSchedule", payload)

    def say_transaction(self, connector: Connector) -> None:
        """Queue an event that the central system asked for."""
        if connector.transaction is None:
            return
        names = self._station.configuration.names("MeterValuesSampledData")
        self.say_values(connector, connector.transaction, connector.readings(names, "Trigger"), "Trigger")

    def limited_externally(self, amps: float | None) -> None:
        """Queue NotifyChargingLimit, or ClearedChargingLimit."""
        source = {"chargingLimitSource": EXTERNAL_SOURCE}
        for number in self._station.connectors:
            if amps is None:
                self._station.say("ClearedChargingLimit", {**source, "evseId": number})
                continue
            schedule = {
                "id": 1,
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": amps}],
            }
            limit = {**source, "isGridCritical": False}
            payload = {"evseId": number, "chargingLimit": limit, "chargingSchedule": [schedule]}
            self._station.say("NotifyChargingLimit", payload)

    def say_feed(self, readings: Sequence[Reading]) -> None:
        """Queue MeterValues of EVSE 0."""
        values = [meter_value(readings, self._station.utc())]
        self._station.say("MeterValues", {"evseId": WHOLE_STATION, "meterValue": values})

    def reservation_ended(self, reservation_id: int, *, expired: bool) -> None:
        """Queue a ReservationStatusUpdate."""
        status = "Expired" if expired else "Removed"
        payload = {"reservationId": reservation_id, "reservationUpdateStatus": status}
        self._station.say("ReservationStatusUpdate", payload)

    def _say_resumed(self) -> None:
        interrupted, self._interrupted = self._interrupted, set()
        if self._station.spec.version is OcppVersion.V201:
            return
        for connector in self._station.connectors.values():
            transaction = connector.transaction
            if transaction is not None and str(transaction.transaction_id) in interrupted:
                self._say_event(connector, transaction, "Updated", "TxResumed")

    def _thread(self, transaction: Transaction) -> Thread:
        return self._threads.setdefault(str(transaction.transaction_id), Thread())

    def _authorisation(
        self, connector: Connector, transaction: Transaction, thread: Thread, more: dict[str, object]
    ) -> str:
        """Put the token into an event and return what triggered it."""
        more["idToken"] = self._token_of(transaction)
        if transaction.reservation_id is not None:
            more["reservationId"] = transaction.reservation_id
        if not transaction.remote:
            return "Authorized"
        thread.remote_start_id = self._remote_starts.pop(connector.number, None)
        return "RemoteStart"

    def _token(self, tag: str) -> Payload:
        return {"idToken": tag, "type": self.token_kinds.get(tag, CARD)}

    def _token_of(self, transaction: Transaction) -> Payload:
        tag = transaction.tag or ""
        if tag == self._station.spec.id_tag and not transaction.remote:
            return NO_TOKEN
        return self._token(tag)

    def _say_event(
        self,
        connector: Connector,
        transaction: Transaction,
        event: str,
        trigger: str,
        *,
        more: Mapping[str, object] | None = None,
        readings: Sequence[Reading] = (),
        stopped: str | None = None,
    ) -> None:
        thread = self._thread(transaction)
        misbehaviour = self._station.misbehaviour
        young = self._station.now() - transaction.began_at < misbehaviour.updates_after_s
        if event == "Updated" and young and more is None:
            return
        thread.state = charging_state(connector)
        info: dict[str, object] = {"transactionId": transaction.transaction_id, "chargingState": thread.state}
        if misbehaviour.foreign_values and trigger == "MeterValuePeriodic":
            info["transactionId"] = FOREIGN_TRANSACTION
        if thread.remote_start_id is not None:
            info["remoteStartId"] = thread.remote_start_id
        if stopped is not None:
            info["stoppedReason"] = stopped
        payload: dict[str, object] = {
            "eventType": event,
            "timestamp": self._station.time_text(),
            "triggerReason": trigger,
            "seqNo": 0 if misbehaviour.sequence_stuck else thread.said,
            "transactionInfo": info,
            "evse": {"id": connector.number, "connectorId": CONNECTOR_ID},
            **(more or {}),
        }
        if not self._station.connected:
            payload["offline"] = True
        car = connector.car
        if car is not None and thread.state == "Charging":
            payload["numberOfPhasesUsed"] = min(car.spec.phases, connector.outlet.connected_phases)
        if readings:
            payload["meterValue"] = [meter_value(readings, self._station.utc())]
        thread.said += 1

        def answered(answer: Payload) -> None:
            if "idTokenInfo" in answer:
                connector.start_answered(transaction, accepted=_accepted(answer))

        self._station.conversation.put(
            Message(
                action="TransactionEvent",
                payload=lambda: payload,
                of_transaction=True,
                minor=event == "Updated",
                answered=answered,
            )
        )

    def say_priority(self, connector: Connector, *, asked: bool) -> None:
        """Say that a driver asks to charge before others, or no longer (OCPP 2.1); it obeys its limits all the same."""
        if self._station.spec.version is OcppVersion.V21 and connector.transaction_id is not None:
            payload = {"transactionId": connector.transaction_id, "activated": asked}
            self._station.say("NotifyPriorityCharging", payload)

    def _say_needs(self, connector: Connector) -> None:
        """Tell what a car needs that talks of it."""
        car = connector.car
        if car is None or not car.spec.iso15118:
            return
        needs: dict[str, object] = {
            "requestedEnergyTransfer": TRANSFERS[min(car.spec.phases, connector.outlet.phases)],
            "acChargingParameters": {
                "energyAmount": round(max(0.0, car.wanted_wh - car.delivered_wh)),
                "evMinCurrent": round(car.spec.minimum_a),
                "evMaxCurrent": round(car.spec.maximum_a),
                "evMaxVoltage": EV_MAXIMUM_V,
            },
        }
        departs_at = _departs_at(car, self._station)
        if departs_at is not None:
            needs["departureTime"] = utc_text(departs_at)
        if self._station.spec.version is OcppVersion.V201:
            self._station.say("NotifyEVChargingNeeds", {"evseId": connector.number, "chargingNeeds": needs})
            return
        payload = {"evseId": connector.number, "timestamp": self._station.time_text(), "chargingNeeds": needs}
        self._station.say("NotifyEVChargingNeeds", payload)


def meter_value(readings: Sequence[Reading], utc: float) -> Payload:
    """Return a MeterValue with what was read at a moment."""
    sampled = []
    for reading in readings:
        value = reading.value
        one: dict[str, object] = {
            "value": float(value.text),
            "context": reading.context,
            "measurand": reading.measurand,
        }
        if value.unit:
            one["unitOfMeasure"] = {"unit": value.unit}
        if value.phase is not None:
            one["phase"] = value.phase
        sampled.append(one)
    return {"timestamp": utc_text(utc), "sampledValue": sampled}


def _departs_at(car: Car, station: ChargePoint) -> float | None:
    """Return when a car leaves by the charge point's clock, None where nobody knows."""
    if car.spec.stays_s is None:
        return None
    return station.utc() + car.plugged_at + car.spec.stays_s - station.site_now()


def _accepted(answer: Payload) -> bool:
    info = answer.get("idTokenInfo")
    return isinstance(info, dict) and info.get("status") == ACCEPTED
