"""The list of tokens that a charge point keeps for when it is offline, brought up to date in any version of OCPP.

What it holds is known by the number of its list. Where we know what is behind that number only the differences are
sent, otherwise the whole list. One that does not fit into a message is sent in several, each with a number of its own;
the last one has the number that is wanted, so that a list of which a part got lost is known as such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from .frames import JsonObject
from .rpc import Ask, CallRefused
from .tokens import TokenType, folded

MOST_MESSAGES = 900
"""For one list; fewer than lie between the numbers of two lists, see `LIST_STEP`."""
LIST_STEP = 1000
"""By so much the number of each list is higher than that of the one before."""
USUAL_PER_MESSAGE = 50
"""Tokens in a message where the charge point does not say how many it takes."""


UNKNOWN_CALL = frozenset({"NotImplemented", "NotSupported"})
"""CALLERRORs of a charge point that keeps no list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedToken:
    """A token as a charge point keeps it."""

    id_tag: str
    accepted: bool = True
    """False: it is blocked."""
    kind: TokenType | None = None
    group: str | None = None
    expires_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineRule:
    """What a charge point decides without us."""

    lists: bool
    """Whether who is on the list may charge while it is offline."""
    everybody: bool
    """Whether who is not on the list may."""
    at_once: bool
    """Whether who is on the list begins before we have answered."""
    remembers: bool
    """Whether, where it cannot keep a list, it remembers whom we accepted."""
    free: bool = False
    """Whether nobody has to show a token at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPolicy:
    """What a charge point is to hold."""

    rule: OfflineRule
    version: int
    """The number of the list; another content has a higher one."""
    tokens: tuple[ListedToken, ...] = ()


class ListAnswer(StrEnum):
    """What a charge point says to a list, in the words of every version."""

    ACCEPTED = "Accepted"
    FAILED = "Failed"
    VERSION_MISMATCH = "VersionMismatch"
    NOT_SUPPORTED = "NotSupported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a list; without a token it is taken off."""

    id_tag: str
    kind: TokenType | None
    token: ListedToken | None


class ListWire(Protocol):
    """How one charge point is asked. Its calls raise CallFailed where there is no usable answer."""

    @property
    def per_message(self) -> int:
        """Return how many tokens a message may have."""

    @property
    def most(self) -> int | None:
        """Return how many tokens it keeps; None: it does not say."""

    def fits(self, token: ListedToken) -> bool:
        """Return whether its version knows a token like this."""

    async def version(self) -> int | None:
        """Return the number of its list; None: it keeps none."""

    async def send(self, version: int, changes: Sequence[Change], *, full: bool) -> ListAnswer:
        """Send a list, or the differences to the one that it has."""


async def send_list(ask: Ask, payload: JsonObject) -> ListAnswer:
    """Send a list, or a part of one, and return what is said to it. Raises CallFailed other than CallRefused."""
    try:
        answer = await ask("SendLocalList", payload)
    except CallRefused as refusal:
        return ListAnswer.NOT_SUPPORTED if refusal.code in UNKNOWN_CALL else ListAnswer.FAILED
    try:
        return ListAnswer(str(answer.get("status")))
    except ValueError:
        return ListAnswer.FAILED


async def forget_removed(ask: Ask, kept: LocalList, policy: TokenPolicy) -> None:
    """Have a charge point that remembers whom we accepted forget them, where others may charge now."""
    if kept.remembered_for not in {None, policy.version}:
        try:
            await ask("ClearCache", {})
        except CallRefused:
            return
    kept.remembered_for = policy.version


class LocalList:
    """What is known of the list of one charge point."""

    def __init__(self) -> None:
        """Begin without knowing it."""
        self.supported = True
        self.remembered_for: int | None = None
        """The number of the list that counted when it was last to remember whom we accepted."""
        self._version: int | None = None
        self._held: dict[str, ListedToken] | None = None

    def forget(self) -> None:
        """Take note that the charge point restarted, perhaps with other firmware."""
        self.supported = True
        self._version = None
        self._held = None

    async def bring_up(self, wire: ListWire, policy: TokenPolicy) -> bool:
        """Bring the list to what is wanted; return whether it is. Raises CallFailed."""
        if not self.supported:
            return True
        wanted = self._wanted(wire, policy)
        there = await wire.version()
        if there is None:
            self.supported = False
            return True
        if there == policy.version:
            self._version, self._held = there, wanted
            return True
        known = self._held if self._version is not None and there == self._version else None
        self._held = None
        if known is not None and await self._send(wire, policy.version, differences(known, wanted), held=there):
            self._version, self._held = policy.version, wanted
            return True
        if self.refused:
            return True
        whole = [Change(id_tag=token.id_tag, kind=token.kind, token=token) for token in wanted.values()]
        if await self._send(wire, policy.version, whole, held=None):
            self._version, self._held = policy.version, wanted
            return True
        return self.refused

    @property
    def refused(self) -> bool:
        """Return whether the charge point has said that it keeps no list."""
        return not self.supported

    def _wanted(self, wire: ListWire, policy: TokenPolicy) -> dict[str, ListedToken]:
        """Return as much of the list as the charge point can keep."""
        most = MOST_MESSAGES * max(1, wire.per_message)
        if wire.most is not None:
            most = min(most, wire.most)
        fitting = [token for token in policy.tokens if wire.fits(token)]
        return {folded(token.id_tag): token for token in fitting[:most]}

    async def _send(self, wire: ListWire, version: int, changes: Sequence[Change], *, held: int | None) -> bool:
        """Send changes in as many messages as they need; `held` is what they are to, None: they are all there is."""
        size = max(1, wire.per_message)
        parts = [changes[start : start + size] for start in range(0, len(changes), size)] or [()]
        first = version - len(parts) + 1
        if len(parts) > MOST_MESSAGES or (held is not None and first <= held):
            return False
        for number, part in enumerate(parts):
            answer = await wire.send(first + number, part, full=held is None and number == 0)
            if answer is ListAnswer.NOT_SUPPORTED:
                self.supported = False
            if answer is not ListAnswer.ACCEPTED:
                return False
        return True


def differences(held: Mapping[str, ListedToken], wanted: Mapping[str, ListedToken]) -> list[Change]:
    """Return what turns one list into another: what is to go first, so that there is room for what comes."""
    gone = [
        Change(id_tag=token.id_tag, kind=token.kind, token=None) for key, token in held.items() if key not in wanted
    ]
    come = [
        Change(id_tag=token.id_tag, kind=token.kind, token=token)
        for key, token in wanted.items()
        if held.get(key) != token
    ]
    return [*gone, *come]
