"""Whom the installation trusts: its certificate authority, certificates that it gave out, and keys that change over.

A certificate of the authority counts only while it is remembered here as given to this very charge point: what is not
remembered, or was taken back, is refused at the door, whatever its date. A key that is being changed is remembered
beside the one that is configured: either opens the door until the charge point has come with the new one.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from ..ocpp.protocols import Clock
from ..ocpp.security.authority import Authority, IssuedCertificate, due_for_renewal
from ..ocpp.security.own import CertificateFault
from ..ocpp.security.peer import PeerCertificate
from .settings import ChargePointSettings

LOGGER = logging.getLogger(__name__)

MAX_PER_CHARGE_POINT = 3
"""Certificates that count at the same time: the one in use, the one after it, and one that got lost on its way."""
MAX_REVOKED = 2000


class TrustStore(Protocol):
    """Keeps what nobody else may read."""

    async def load(self) -> Mapping[str, Any] | None:
        """Return what was kept; None: nothing."""

    async def save(self, kept: Mapping[str, Any]) -> None:
        """Keep it; durable when this returns."""


class MemoryTrustStore:
    """Keeps it as long as the process lives."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.kept: Mapping[str, Any] | None = None

    async def load(self) -> Mapping[str, Any] | None:
        """Return what was kept."""
        return self.kept

    async def save(self, kept: Mapping[str, Any]) -> None:
        """Keep it."""
        self.kept = kept


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenCertificate:
    """A certificate that a charge point was given."""

    identity: str
    not_before: float
    not_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NextKey:
    """The key that a charge point is changing over to."""

    key: str = field(repr=False)
    since: float
    """UTC POSIX seconds."""


class Trust:
    """Knows whom to trust; one per installation."""

    def __init__(self, store: TrustStore, clock: Clock) -> None:
        """Use `open`."""
        self._store = store
        self._clock = clock
        self._authority: Authority | None = None
        self._given: dict[str, GivenCertificate] = {}
        self._revoked: dict[str, float] = {}
        self._next_keys: dict[str, NextKey] = {}
        self._coming_over: dict[str, list[asyncio.Future[None]]] = {}
        self._making = asyncio.Lock()
        self._saving = asyncio.Lock()
        self._saves: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, store: TrustStore, clock: Clock) -> Trust:
        """Bring back what was kept."""
        trust = cls(store, clock)
        kept = await store.load() or {}
        authority = kept.get("authority")
        if authority is not None:
            try:
                trust._authority = Authority.restore(authority["certificate"], authority["key"])
            except ValueError, KeyError:
                LOGGER.warning("The certificate authority that was kept cannot be read; a new one is made when needed")
        trust._given = {name: GivenCertificate(**fields) for name, fields in kept.get("given", {}).items()}
        trust._revoked = {name: float(until) for name, until in kept.get("revoked", {}).items()}
        trust._next_keys = {name: NextKey(**fields) for name, fields in kept.get("next_keys", {}).items()}
        return trust

    async def close(self) -> None:
        """Wait until everything is kept."""
        if self._saves:
            await asyncio.wait(self._saves)

    async def _save(self) -> None:
        async with self._saving:
            authority = self._authority
            await self._store.save(
                {
                    "authority": None
                    if authority is None
                    else {"certificate": authority.certificate, "key": authority.private_key()},
                    "given": {name: asdict(given) for name, given in self._given.items()},
                    "revoked": dict(self._revoked),
                    "next_keys": {name: asdict(key) for name, key in self._next_keys.items()},
                }
            )

    def _save_soon(self) -> None:
        task = asyncio.get_running_loop().create_task(self._save())
        self._saves.add(task)
        task.add_done_callback(self._saves.discard)

    # -- certificates -------------------------------------------------------------------------------------------------

    async def authority(self) -> Authority:
        """Return the certificate authority, made at the first need. Raises CertificateFault."""
        async with self._making:
            if self._authority is None:
                if not self._clock.synchronised():
                    # It would begin, and end, at any time.
                    raise CertificateFault("clock_not_set")
                name = f"Charge Cluster authority {secrets.token_hex(4)}"
                self._authority = Authority.create(name, now=self._clock.time())
                await self._save()
            return self._authority

    @property
    def known_authority(self) -> Authority | None:
        """Return the certificate authority, if there is one yet."""
        return self._authority

    async def give(self, identity: str, names: Collection[str], request: str) -> IssuedCertificate:
        """Sign the request of a charge point that is to be called one of `names`.

        Raises:
            RequestRefused: it is not to be signed.
            CertificateFault: there is no authority, and none can be made now.
        """
        authority = await self.authority()
        issued = authority.sign(request, names, now=self._clock.time())
        self._given[issued.fingerprint] = GivenCertificate(
            identity=identity, not_before=issued.not_before, not_after=issued.not_after
        )
        own = sorted(
            (name for name, given in self._given.items() if given.identity == identity),
            key=lambda name: self._given[name].not_before,
        )
        # Beside the newest the one in use stays, which is never the oldest of more than so many.
        for name in own[:-MAX_PER_CHARGE_POINT]:
            self._revoke(name, self._given.pop(name).not_after)
        await self._save()
        return issued

    def proves(self, identity: str, shown: PeerCertificate) -> bool:
        """Return whether a certificate that an authority of the listener signed is this charge point's."""
        if shown.fingerprint in self._revoked or shown.not_after <= self._clock.time():
            return False
        given = self._given.get(shown.fingerprint)
        if given is not None:
            return given.identity == identity
        ours = self._authority is not None and shown.issuer == self._authority.issuer
        return not ours and identity in shown.names

    def is_revoked(self, shown: PeerCertificate) -> bool:
        """Return whether a certificate was taken back."""
        return shown.fingerprint in self._revoked

    def came_with(self, identity: str, shown: PeerCertificate) -> None:
        """Take note that a charge point uses a certificate: those before it are taken back."""
        used = self._given.get(shown.fingerprint)
        if used is None or used.identity != identity:
            return
        older = [
            name
            for name, given in self._given.items()
            if given.identity == identity and given.not_before < used.not_before
        ]
        for name in older:
            self._revoke(name, self._given.pop(name).not_after)
        if older:
            self._save_soon()

    def given_to(self, identity: str) -> GivenCertificate | None:
        """Return the newest certificate of a charge point."""
        own = [given for given in self._given.values() if given.identity == identity]
        return max(own, key=lambda given: given.not_before, default=None)

    def renewal_due(self, shown: PeerCertificate) -> bool:
        """Return whether the certificate that a charge point uses is one of ours and should be replaced by now."""
        used = self._given.get(shown.fingerprint)
        newest = None if used is None else self.given_to(used.identity)
        return newest is not None and due_for_renewal(newest.not_before, newest.not_after, self._clock.time())

    def forget(self, identity: str, shown: PeerCertificate | None = None) -> None:
        """Take back everything that a charge point was trusted by; `shown` is the certificate it is connected with."""
        own = [name for name, given in self._given.items() if given.identity == identity]
        for name in own:
            self._revoke(name, self._given.pop(name).not_after)
        if shown is not None:
            self._revoke(shown.fingerprint, shown.not_after)
        had_key = self._next_keys.pop(identity, None) is not None
        if own or shown is not None or had_key:
            self._save_soon()

    def _revoke(self, fingerprint: str, not_after: float) -> None:
        now = self._clock.time()
        self._revoked = {name: until for name, until in self._revoked.items() if until > now}
        self._revoked[fingerprint] = not_after
        while len(self._revoked) > MAX_REVOKED:
            # Of ours, what is not remembered as given is refused as well.
            del self._revoked[next(iter(self._revoked))]

    # -- keys that change over ----------------------------------------------------------------------------------------

    def next_key(self, point: ChargePointSettings) -> NextKey | None:
        """Return the key that a charge point is changing over to; None: it has no other than the configured one.

        What it has come over to is kept here as well: were it dropped before the configuration is on the disk, a loss
        of power in between would lock the charge point out.
        """
        following = self._next_keys.get(point.identity)
        return None if following is None or following.key == point.key else following

    def pending_key(self, point: ChargePointSettings) -> str | None:
        """Return the key that a charge point was offered and has not come with yet."""
        following = self.next_key(point)
        return None if following is None else following.key

    def came_with_next_key(self, identity: str) -> None:
        """Take note that a charge point has come with its new key."""
        for waiting in self._coming_over.pop(identity, []):
            if not waiting.done():
                waiting.set_result(None)

    async def comes_over(self, identity: str, within_s: float) -> bool:
        """Return whether a charge point comes with its new key so soon."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._coming_over.setdefault(identity, []).append(waiting)
        try:
            async with asyncio.timeout(within_s):
                await waiting
        except TimeoutError:
            return False
        return True

    async def expect_key(self, identity: str, key: str) -> None:
        """Let a charge point come with a new key as well; kept when this returns."""
        self._next_keys[identity] = NextKey(key=key, since=self._clock.time())
        await self._save()

    async def drop_key(self, identity: str) -> None:
        """Expect the new key no longer."""
        if self._next_keys.pop(identity, None) is not None:
            await self._save()
