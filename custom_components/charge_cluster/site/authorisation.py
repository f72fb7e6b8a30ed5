"""Who may charge: one pure decision, from the site's rule, what is known of the token and what it was shown for.

Whoever is blocked or has run out may not charge, whatever the rule. Where Home Assistant is to decide, the ruling says
so, and what counts when it does not answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..ocpp.protocols import AuthorisationStatus, Purpose
from ..ocpp.tokens import TokenType, same_type
from .settings import AuthorisationMode, AuthorisationSettings, Concurrency, Unanswered

PASSED_S = 60.0
"""What was shown longer ago was decided on by the charge point, which was offline: nobody is asked any more."""

WITHOUT_A_NAME = frozenset({AuthorisationMode.FREE, AuthorisationMode.EVERYBODY})
"""The rules by which nobody has to be known."""


class KnownToken(Protocol):
    """What must be known of a token."""

    @property
    def enabled(self) -> bool:
        """Return whether it is not blocked."""

    @property
    def expires_at(self) -> float | None:
        """Return until when (UTC POSIX seconds) it may charge; None: for ever."""

    @property
    def kind(self) -> TokenType | None:
        """Return what it is; None: anything."""

    @property
    def group(self) -> str | None:
        """Return the group that it belongs to."""

    @property
    def at_once(self) -> int | None:
        """Return how many transactions may run with it at a time; None: as many as the site lets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """How many transactions run at other connectors than the one where a token is shown."""

    token: int = 0
    """With this token."""
    group: int = 0
    """With this or another token of its group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """A token as it was shown."""

    kind: TokenType | None = None
    purpose: Purpose = Purpose.ASK
    age_s: float = 0.0
    elsewhere: Elsewhere = Elsewhere()
    runs_here: bool = False
    """Whether one that it may stop, its own or of its group, runs at this charge point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What is decided."""

    status: AuthorisationStatus
    asks: bool = False
    """Whether Home Assistant is asked first; `status` is what counts if it does not answer."""
    group: str | None = None
    expires_at: float | None = None


def rule(
    mode: AuthorisationMode,
    settings: AuthorisationSettings,
    known: KnownToken | None,
    presented: Presented,
    *,
    now: float,
) -> Ruling:
    """Return the decision on a token.

    Args:
        mode: the rule at the charge point.
        settings: the rest, which is the same at the whole site.
        known: what is known of the token's text.
        presented: the token as it was shown.
        now: UTC POSIX seconds.
    """
    if known is not None and not same_type(known.kind, presented.kind):
        known = None
    if known is not None:
        fault = _fault(known, now)
        if fault is not None:
            return Ruling(status=fault, group=known.group)
    if presented.kind is TokenType.NO_AUTHORISATION:
        free = mode is AuthorisationMode.FREE
        return Ruling(status=AuthorisationStatus.ACCEPTED if free else AuthorisationStatus.INVALID)
    ruling = _by_mode(mode, settings.unanswered, known, presented)
    may_start = ruling.asks or ruling.status is AuthorisationStatus.ACCEPTED
    if may_start and mode not in WITHOUT_A_NAME and _is_one_too_many(settings.concurrency, known, presented):
        ruling = Ruling(status=AuthorisationStatus.CONCURRENT_TX)
    if known is None:
        return ruling
    return Ruling(status=ruling.status, asks=ruling.asks, group=known.group, expires_at=known.expires_at)


def _fault(known: KnownToken, now: float) -> AuthorisationStatus | None:
    """Return what keeps a known token from charging under every rule."""
    if not known.enabled:
        return AuthorisationStatus.BLOCKED
    if known.expires_at is not None and known.expires_at <= now:
        return AuthorisationStatus.EXPIRED
    return None


def _is_one_too_many(concurrency: Concurrency, known: KnownToken | None, presented: Presented) -> bool:
    """Return whether a token begins at another place than those at which it, or its group, may charge at a time.

    OCPP has a word for it in the answer to a start alone: who only asks may have come to stop.
    """
    if presented.purpose is not Purpose.START:
        return False
    at_most = None if known is None else known.at_once
    if at_most is None:
        if concurrency is Concurrency.ANY:
            return False
        at_most = 1
    together = concurrency is Concurrency.GROUP and known is not None and known.group is not None
    return (presented.elsewhere.group if together else presented.elsewhere.token) >= at_most


def _by_mode(mode: AuthorisationMode, unanswered: Unanswered, known: KnownToken | None, presented: Presented) -> Ruling:
    match mode:
        case AuthorisationMode.FREE | AuthorisationMode.EVERYBODY:
            return Ruling(status=AuthorisationStatus.ACCEPTED)
        case AuthorisationMode.KNOWN:
            return Ruling(status=AuthorisationStatus.UNKNOWN if known is None else AuthorisationStatus.ACCEPTED)
        case AuthorisationMode.KNOWN_OR_ASK if known is not None:
            return Ruling(status=AuthorisationStatus.ACCEPTED)
        case AuthorisationMode.KNOWN_OR_ASK | AuthorisationMode.ASK:
            return _asked(unanswered, known, presented)


def _asked(unanswered: Unanswered, known: KnownToken | None, presented: Presented) -> Ruling:
    """Return the ruling where Home Assistant is to decide: not on what is over, nor on who comes to stop."""
    if presented.purpose is Purpose.STOP or (presented.runs_here and presented.purpose is Purpose.ASK):
        return Ruling(status=AuthorisationStatus.ACCEPTED)
    return Ruling(status=if_unanswered(unanswered, known), asks=presented.age_s <= PASSED_S)


def if_unanswered(unanswered: Unanswered, known: KnownToken | None) -> AuthorisationStatus:
    """Return what counts where Home Assistant does not decide."""
    match unanswered:
        case Unanswered.ACCEPT:
            return AuthorisationStatus.ACCEPTED
        case Unanswered.KNOWN if known is not None:
            return AuthorisationStatus.ACCEPTED
        case _:
            return AuthorisationStatus.INVALID


def masked(token: str) -> str:
    """Return as much of a token as may be shown to everybody: enough to tell two cards in one hand apart."""
    return f"…{token[-SHOWN:]}" if len(token) >= LEAST_TO_SHOW else "…"


SHOWN = 2
LEAST_TO_SHOW = 6
"""Of a shorter token its end would tell too much."""
