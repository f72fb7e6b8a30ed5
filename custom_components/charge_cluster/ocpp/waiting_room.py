"""Where charge points wait that nobody has accepted yet: connected, answered, powerless.

A guest is told that its boot is pending and when to ask again, its transactions are refused, and it is never given any
configuration. What it shows of itself (maker, model, connectors) is kept for the owner to decide on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from .conversation import DeviceFacts
from .frames import JsonObject
from .protocols import Clock
from .rpc import Action
from .times import stamp
from .v2 import notices as notices_2
from .v2.courtesies import courtesies
from .v16 import notices as notices_16
from .versions import OcppVersion

PENDING_INTERVAL_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A charge point in the waiting room."""

    identity: str
    remote: str
    first_seen_at: float
    """UTC POSIX seconds."""
    presented_key: bool
    """Whether it has a key of its own, which the owner does not know."""
    device: DeviceFacts = field(default_factory=DeviceFacts)
    connectors: int | None = None
    """As many as it has shown."""


class Guest:
    """One newcomer."""

    def __init__(
        self,
        newcomer: Newcomer,
        clock: Clock,
        changed: Callable[[Newcomer], None],
        version: OcppVersion = OcppVersion.V16,
    ) -> None:
        """Seat it; `changed` is told when it shows more of itself."""
        self.newcomer = newcomer
        self._clock = clock
        self._changed = changed
        self.actions: Mapping[str, Action] = self._in_2(version) if version.is_2 else self._in_16()

    def _in_16(self) -> Mapping[str, Action]:
        return {
            "BootNotification": Action(lambda payload: self._boot(notices_16.read_boot(payload))),
            "Heartbeat": Action(self._heartbeat),
            "StatusNotification": Action(lambda payload: self._status(notices_16.read_status(payload).connector)),
            "Authorize": Action(_refuse_tag),
            "StartTransaction": Action(_refuse_start),
            "StopTransaction": Action(_acknowledge),
            "MeterValues": Action(_acknowledge),
            "DataTransfer": Action(_refuse_transfer),
        }

    def _in_2(self, version: OcppVersion) -> Mapping[str, Action]:
        return {
            **courtesies(version),
            "BootNotification": Action(lambda payload: self._boot(notices_2.read_boot(payload))),
            "Heartbeat": Action(self._heartbeat),
            "StatusNotification": Action(lambda payload: self._status(notices_2.read_status(payload).evse)),
            "Authorize": Action(_refuse_token),
            "TransactionEvent": Action(_refuse_event),
            "MeterValues": Action(_acknowledge),
            "DataTransfer": Action(_refuse_transfer),
        }

    def _boot(self, device: DeviceFacts) -> JsonObject:
        self._show(replace(self.newcomer, device=device))
        return {"status": "Pending", "currentTime": stamp(self._clock.time()), "interval": PENDING_INTERVAL_S}

    def _heartbeat(self, _payload: JsonObject) -> JsonObject:
        return {"currentTime": stamp(self._clock.time())}

    def _status(self, connector: int) -> JsonObject:
        if connector > (self.newcomer.connectors or 0):
            self._show(replace(self.newcomer, connectors=connector))
        return {}

    def _show(self, newcomer: Newcomer) -> None:
        if newcomer != self.newcomer:
            self.newcomer = newcomer
            self._changed(newcomer)


def _refuse_tag(_payload: JsonObject) -> JsonObject:
    return {"idTagInfo": {"status": "Invalid"}}


def _refuse_token(_payload: JsonObject) -> JsonObject:
    return {"idTokenInfo": {"status": "Invalid"}}


def _refuse_event(payload: JsonObject) -> JsonObject:
    """Refuse whoever wants to charge; an end or a measurement is only heard."""
    return _refuse_token(payload) if payload.get("idToken") is not None else {}


def _refuse_start(_payload: JsonObject) -> JsonObject:
    return {"transactionId": 0, "idTagInfo": {"status": "Invalid"}}


def _refuse_transfer(_payload: JsonObject) -> JsonObject:
    return {"status": "Rejected"}


def _acknowledge(_payload: JsonObject) -> JsonObject:
    return {}
