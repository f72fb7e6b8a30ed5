"""What is taken at a listener: the TLS that its sites want, made into a wire, and made anew before it runs out.

Where what is wanted cannot be had (a file is gone, a certificate has expired), what was in force stays in force; where
nothing was, plain connections are taken only if the owner takes them beside TLS. Nothing becomes less secure than it
was asked to be, and the fault is told as a problem of the sites.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ..ocpp.listener import Wire
from ..ocpp.protocols import Clock
from ..ocpp.security.authority import SERVER_FOR, due_for_renewal
from ..ocpp.security.contexts import server_context
from ..ocpp.security.own import CertificateFault, KeyPair, authorities, own_certificate
from .problems import Problem, ProblemKey, Severity
from .settings import EVERY_ADDRESS, TlsMode, TlsSettings
from .trust import Trust

LOGGER = logging.getLogger(__name__)

WARN_BEFORE_S = 21 * 24 * 3600.0
"""An owner's certificate that runs out so soon is a matter for a person."""
LOOK_EVERY_S = 60.0
"""Files are read anew and the date is looked at this often."""
MAX_NAMES = 16


class TlsKeeper:
    """Keeps the wire of one listener as its sites want it."""

    def __init__(self, trust: Trust, clock: Clock, host: str, names: Callable[[], Sequence[str]]) -> None:
        """`names` gives what this host is called, best first."""
        self._trust = trust
        self._clock = clock
        self._host = host
        self._names = names
        self._made_of: tuple[tuple[KeyPair, ...], tuple[str, ...]] | None = None
        self._wire = Wire()
        self._issued: tuple[tuple[str, ...], tuple[KeyPair, ...]] | None = None
        self.fault: CertificateFault | None = None
        self.own_until: float | None = None
        """Until when the owner's certificate is valid, UTC POSIX seconds; None: it is one of ours, or there is none."""

    async def wire(self, wanted: TlsSettings) -> Wire:
        """Return the wire for what is wanted; the same one as long as nothing changes. Never raises."""
        if wanted.mode is TlsMode.NONE:
            self._made_of, self.fault, self.own_until = None, None, None
            self._wire = Wire()
            return self._wire
        tls = self._wire.tls
        try:
            made_of = await self._material(wanted)
            if made_of != self._made_of:
                tls = await asyncio.to_thread(server_context, *made_of)
                self._made_of = made_of
            self.fault = None
        except CertificateFault as fault:
            if self.fault is None or self.fault.key != fault.key:
                LOGGER.warning("No TLS as it is configured: %s", fault)
            self.fault = fault
        self._wire = Wire(plain=not wanted.only, tls=tls, tls_port=wanted.port if tls is not None else None)
        return self._wire

    async def _material(self, wanted: TlsSettings) -> tuple[tuple[KeyPair, ...], tuple[str, ...]]:
        """Return the certificates of this host, and whose certificates charge points may show."""
        now = self._clock.time()
        authority = await self._trust.authority()
        clients_of = [authority.certificate]
        if wanted.client_authority is not None:
            clients_of.append(await asyncio.to_thread(authorities, wanted.client_authority))
        if wanted.mode is TlsMode.OWN:
            pair = await asyncio.to_thread(own_certificate, wanted.certificate, wanted.key, now=now)
            self.own_until = pair.not_after
            return (pair,), tuple(clients_of)
        self.own_until = None
        names = self._named(wanted)
        if self._issued is None or self._issued[0] != names or self._renewal_due(self._issued[1][0].not_after, now):
            pairs = await asyncio.to_thread(authority.server_certificates, names, now=now)
            self._issued = (names, pairs)
        return self._issued[1], tuple(clients_of)

    def _named(self, wanted: TlsSettings) -> tuple[str, ...]:
        here = () if self._host == EVERY_ADDRESS else (self._host,)
        return tuple(dict.fromkeys([*here, *wanted.names, *self._names()]))[:MAX_NAMES] or ("localhost",)

    @staticmethod
    def _renewal_due(until: float, now: float) -> bool:
        begun = until - SERVER_FOR.total_seconds()
        # Also where the clock was wrong when it was issued.
        return due_for_renewal(begun, until, now) or now < begun

    def cannot_listen(self, reason: str) -> None:
        """Take note that the port for TLS could not be opened."""
        self.fault = CertificateFault("tls_port_unavailable", cause=reason)
        self._wire = replace(self._wire, tls_port=None)

    def problems(self, site_id: str) -> tuple[Problem, ...]:
        """Return what the owner has to mend."""
        found = []
        if self.fault is not None:
            found.append(
                Problem(
                    key=ProblemKey.TLS_UNAVAILABLE,
                    subject=site_id,
                    severity=Severity.ERROR,
                    placeholders={"cause": str(self.fault)},
                )
            )
        if self.own_until is not None and self.own_until - self._clock.time() < WARN_BEFORE_S:
            found.append(
                Problem(
                    key=ProblemKey.CERTIFICATE_EXPIRES,
                    subject=site_id,
                    severity=Severity.WARNING,
                    placeholders={"date": f"{datetime.fromtimestamp(self.own_until, UTC):%Y-%m-%d}"},
                )
            )
        return tuple(found)
