"""How a charge point comes to a certificate of its own, in every version of OCPP.

It sends a signing request (SignCertificate), by itself or because it was asked to; the request is signed by whoever
certifies here, and the certificate is brought to it (CertificateSigned). One request is in work at a time, and one that
follows too soon is refused: signing costs something, and so does writing to a charger's flash.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from enum import StrEnum
from typing import Any, Protocol

from ..frames import JsonObject
from ..pacing import CalmLog
from ..rpc import CallFailed, CallRefused
from ..versions import OcppVersion
from .authority import MAX_REQUEST, RequestRefused

TRIGGERS: Mapping[OcppVersion, tuple[str, str]] = {
    OcppVersion.V16: ("ExtendedTriggerMessage", "SignChargePointCertificate"),
    OcppVersion.V201: ("TriggerMessage", "SignChargingStationCertificate"),
    OcppVersion.V21: ("TriggerMessage", "SignChargingStationCertificate"),
}
"""By which call a charge point is made to ask for a certificate, and what it is to send."""

AGAIN_AFTER_S = 10.0
V2G_TYPES = frozenset({"V2GCertificate", "V2G20Certificate"})
"""Certificates for vehicles are signed by others."""
MAX_TYPE = 40


class Certifier(Protocol):
    """Signs for charge points."""

    async def certify(self, identity: str, names: Collection[str], request: str) -> str:
        """Return a certificate with those above it (PEM), for one of the names. Raises RequestRefused."""


class Given(StrEnum):
    """What became of a request."""

    ACCEPTED = "accepted"
    """The charge point has its certificate."""
    NOT_SIGNED = "not_signed"
    """The request was not one to be signed."""
    NOT_TAKEN = "not_taken"
    """The charge point did not take the certificate, or did not say so."""


class Enrolment:
    """The certificates of one charge point."""

    def __init__(
        self,
        identity: str,
        certifier: Certifier | None,
        *,
        names: Callable[[], Collection[str]],
        bring: Callable[[JsonObject], Awaitable[JsonObject]],
        spawn: Callable[[str, Callable[[], Coroutine[Any, Any, None]]], None],
        monotonic: Callable[[], float],
        log: CalmLog,
    ) -> None:
        """Wait for a request.

        Args:
            certifier: who signs; None: nobody does, and requests are refused.
            names: what the charge point may be called in its certificate.
            bring: sends a CertificateSigned and returns the answer; raises CallFailed.
            spawn: begins some work unless the same is under way.
            monotonic: the clock.
            log: for what the charge point can provoke.
        """
        self._identity = identity
        self._certifier = certifier
        self._names = names
        self._bring = bring
        self._spawn = spawn
        self._monotonic = monotonic
        self._log = log
        self._asked_at: float | None = None
        self._busy = False
        self._waiting: list[asyncio.Future[Given]] = []

    def asked(self, payload: JsonObject) -> JsonObject:
        """Answer a SignCertificate; the certificate follows."""
        request, kind = payload.get("csr"), payload.get("certificateType")
        now = self._monotonic()
        too_soon = self._asked_at is not None and now - self._asked_at < AGAIN_AFTER_S
        if (
            self._certifier is None
            or self._busy
            or too_soon
            or not isinstance(request, str)
            or len(request) > MAX_REQUEST
            or kind in V2G_TYPES
        ):
            return {"status": "Rejected"}
        self._asked_at, self._busy = now, True
        echoed: JsonObject = {}
        if isinstance(kind, str) and len(kind) <= MAX_TYPE:
            echoed["certificateType"] = kind
        if isinstance(request_id := payload.get("requestId"), int):
            echoed["requestId"] = request_id
        certifier = self._certifier
        self._spawn("certificate", lambda: self._give(certifier, request, echoed))
        return {"status": "Accepted"}

    async def _give(self, certifier: Certifier, request: str, echoed: JsonObject) -> None:
        try:
            self._settle(await self._signed_and_brought(certifier, request, echoed))
        finally:
            self._busy = False

    async def _signed_and_brought(self, certifier: Certifier, request: str, echoed: JsonObject) -> Given:
        try:
            chain = await certifier.certify(self._identity, self._names(), request)
        except RequestRefused as refusal:
            self._log.warning("%s asks for a certificate and does not get it: %s", self._identity, refusal)
            return Given.NOT_SIGNED
        try:
            answer = await self._bring({"certificateChain": chain, **echoed})
        except CallRefused:
            answer = {}
        except CallFailed:
            return Given.NOT_TAKEN
        if answer.get("status") != "Accepted":
            self._log.warning("%s does not take its certificate", self._identity)
            return Given.NOT_TAKEN
        return Given.ACCEPTED

    def _settle(self, given: Given) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(given)

    def next_given(self) -> asyncio.Future[Given]:
        """Return what will become of the next request."""
        awaited: asyncio.Future[Given] = asyncio.get_running_loop().create_future()
        self._waiting = [each for each in self._waiting if not each.done()]
        self._waiting.append(awaited)
        return awaited
