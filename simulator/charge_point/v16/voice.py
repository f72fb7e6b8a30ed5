"""What a charge point says in OCPP 1.6."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...clock import utc_text
from ...profile_store import WHOLE_STATION
from ..link import Payload, Reply
from ..local_list import ACCEPTED
from ..measurands import Reading
from ..outbox import Message
from ..upkeep_commands import sign_certificate
from . import commands

if TYPE_CHECKING:
    from ..connector import Connector, Transaction
    from ..station import ChargePoint

NO_TRANSACTION = -1
"""Transaction id of a transaction that the central system never gave an id."""


FOREIGN_TRANSACTION = 987_654
"""Transaction id that nobody gave."""


class Voice16:
    """The wording of OCPP 1.6."""

    subprotocol = "ocpp1.6"
    error_codes: Mapping[str, str] = {}
    answers_rubbish = False

    def __init__(self, station: ChargePoint) -> None:
        """Speak for a charge point."""
        self._station = station

    def boot(self) -> Payload:
        """Return a BootNotification."""
        spec = self._station.spec
        return {
            "chargePointVendor": spec.vendor[:20],
            "chargePointModel": spec.model[:20],
            "chargePointSerialNumber": spec.serial_number,
            "firmwareVersion": self._station.firmware[:50],
        }

    def answer(self, action: str, payload: Payload) -> Reply:
        """Return the answer to a call.

        Raises:
            CallFault: the call is unknown, malformed or refused with an error.
        """
        return commands.answer(self._station, action, payload)

    def tick(self, now: float) -> None:
        """Do nothing: all that OCPP 1.6 says is said when it happens."""

    def registered(self) -> None:
        """Tell of the restart, where security events are told."""
        if self._station.spec.security_events:
            self.security_event("StartupOfTheDevice")

    def lose_power(self) -> None:
        """Forget nothing: there is nothing that is not stored."""

    def security_event(self, kind: str) -> None:
        """Queue a SecurityEventNotification."""
        self._station.say("SecurityEventNotification", {"type": kind, "timestamp": self._station.time_text()})

    def ask_for_certificate(self) -> None:
        """Queue SignCertificate."""
        self._station.say("SignCertificate", {"csr": sign_certificate(self._station)})

    def say_station_status(self) -> None:
        """Queue the status of connector 0."""
        if self._station.misbehaviour.omits_station_status:
            return
        self._say_status_of(WHOLE_STATION, "Available", None)

    def say_status(self, connector: Connector) -> None:
        """Queue the status of a connector."""
        self._say_status_of(connector.number, str(connector.status), connector.fault)

    def charging_changed(self, connector: Connector) -> None:
        """Say nothing: the status says it."""

    def car_came(self, connector: Connector) -> None:
        """Begin nothing: a transaction begins when somebody may charge."""

    def authorise(self, connector: Connector, tag: str) -> None:
        """Queue Authorize for a tag that was shown."""
        now = self._station.now
        self._station.conversation.put(
            Message(
                action="Authorize",
                payload=lambda: {"idTag": tag},
                answered=lambda answer: connector.tag_answered(tag, accepted=_accepted(answer), now=now()),
                given_up=lambda: connector.tag_answered(tag, accepted=False, now=now()),
            )
        )

    def start_remotely(self, connector: Connector, tag: str) -> None:
        """Begin a transaction that the central system asked for, after asking it for the tag where so configured."""
        if not self._station.configuration.flag("AuthorizeRemoteTxRequests"):
            connector.start_remotely(tag, self._station.now())
            return

        def answered(answer: Payload) -> None:
            if _accepted(answer):
                connector.start_remotely(tag, self._station.now())

        message = Message(action="Authorize", payload=lambda: {"idTag": tag}, answered=answered)
        self._station.conversation.put(message)

    def say_started(self, connector: Connector, transaction: Transaction) -> None:
        """Queue StartTransaction."""
        payload: dict[str, object] = {
            "connectorId": connector.number,
            "idTag": transaction.tag,
            "meterStart": connector.register(transaction),
            "timestamp": utc_text(transaction.began_utc),
        }
        if transaction.reservation_id is not None:
            payload["reservationId"] = transaction.reservation_id

        def answered(answer: Payload) -> None:
            transaction.transaction_id = answer.get("transactionId", NO_TRANSACTION)
            connector.start_answered(transaction, accepted=_accepted(answer))

        self._station.conversation.put(
            Message(action="StartTransaction", payload=lambda: payload, of_transaction=True, answered=answered)
        )

    def say_authorised(self, connector: Connector, transaction: Transaction) -> None:
        """Say nothing: no transaction begins before that."""

    def say_stopped(
        self, connector: Connector, transaction: Transaction, reason: str, readings: Sequence[Reading]
    ) -> None:
        """Queue StopTransaction."""
        payload: dict[str, object] = {
            "meterStop": connector.register(transaction),
            "timestamp": self._station.time_text(),
            "reason": reason if reason in STOP_REASONS else "Other",
            "idTag": transaction.tag,
        }
        if readings:
            payload["transactionData"] = [_meter_value(readings, self._station.utc())]
        self._station.conversation.put(
            Message(
                action="StopTransaction",
                payload=lambda: {**payload, "transactionId": _id_of(transaction)},
                of_transaction=True,
            )
        )
        if self._station.misbehaviour.values_after_stop:
            names = self._station.configuration.names("MeterValuesSampledData")
            context = "Sample.Periodic"
            self.say_values(connector, transaction, connector.readings(names, context), context)

    def say_values(
        self,
        connector: Connector,
        transaction: Transaction | None,
        readings: Sequence[Reading],
        context: str,  # noqa: ARG002 - each value has it
    ) -> None:
        """Queue MeterValues; those of a transaction outlive an outage."""
        if not readings:
            return
        values = _meter_value(readings, self._station.utc())

        def payload() -> Payload:
            stated: dict[str, object] = {"connectorId": connector.number, "meterValue": [values]}
            if transaction is not None and transaction.transaction_id is not None:
                stated["transactionId"] = transaction.transaction_id
                if self._station.misbehaviour.foreign_values:
                    stated["transactionId"] = FOREIGN_TRANSACTION
            return stated

        message = Message(action="MeterValues", payload=payload, of_transaction=transaction is not None, minor=True)
        self._station.conversation.put(message)

    def limited_externally(self, amps: float | None) -> None:
        """Say nothing: OCPP 1.6 has no words for it."""

    def say_priority(self, connector: Connector, *, asked: bool) -> None:
        """Say nothing: OCPP 1.6 has no words for it."""

    def say_feed(self, readings: Sequence[Reading]) -> None:
        """Queue MeterValues of connector 0."""
        values = [_meter_value(readings, self._station.utc())]
        self._station.say("MeterValues", {"connectorId": WHOLE_STATION, "meterValue": values})

    def reservation_ended(self, reservation_id: int, *, expired: bool) -> None:
        """Say nothing: the status says it."""

    def _say_status_of(self, number: int, status: str, fault: str | None) -> None:
        payload = {"connectorId": number, "status": status, "errorCode": fault or "NoError"}
        self._station.say("StatusNotification", {**payload, "timestamp": self._station.time_text()})


STOP_REASONS = frozenset(
    {
        "DeAuthorized",
        "EVDisconnected",
        "HardReset",
        "Local",
        "Other",
        "PowerLoss",
        "Reboot",
        "Remote",
        "SoftReset",
        "UnlockCommand",
    }
)


def _meter_value(readings: Sequence[Reading], utc: float) -> Payload:
    """Return a MeterValue with what was read at a moment."""
    sampled = []
    for reading in readings:
        value = reading.value
        one = {
            "value": value.text,
            "context": reading.context,
            "measurand": reading.measurand,
        }
        if value.unit:
            one["unit"] = value.unit
        if value.phase is not None:
            one["phase"] = value.phase
        sampled.append(one)
    return {"timestamp": utc_text(utc), "sampledValue": sampled}


def _accepted(answer: Payload) -> bool:
    info = answer.get("idTagInfo")
    return isinstance(info, dict) and info.get("status") == ACCEPTED


def _id_of(transaction: Transaction) -> int | str:
    return NO_TRANSACTION if transaction.transaction_id is None else transaction.transaction_id
