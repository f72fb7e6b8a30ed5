"""What a charge point decides while it cannot ask us: the rule of its place, and the tokens that the rule knows.

The list has those whom the rule treats otherwise than somebody unknown: where known drivers may charge, these; where
everybody may, those who are blocked. Its number goes up when it becomes another one, and not with a restart of ours, so
that hundreds of charge points are not written to for nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from ..ledger.drivers import DriverRecord
from ..ocpp.local_list import LIST_STEP, ListedToken, OfflineRule, TokenPolicy
from .authorisation import WITHOUT_A_NAME
from .settings import AuthorisationMode, Unanswered

EPOCH_S = 1_767_225_600.0
"""2026-01-01: the numbers of lists count the seconds since, and have room for 68 years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNumber:
    """The number that a list has."""

    version: int
    digest: str


def offline_rule(mode: AuthorisationMode, unanswered: Unanswered) -> OfflineRule:
    """Return what counts where a charge point cannot ask: of Home Assistant, as if it did not answer."""
    asks = mode in {AuthorisationMode.ASK, AuthorisationMode.KNOWN_OR_ASK}
    everybody = mode in WITHOUT_A_NAME or (asks and unanswered is Unanswered.ACCEPT)
    known = mode in {AuthorisationMode.KNOWN, AuthorisationMode.KNOWN_OR_ASK} or unanswered is Unanswered.KNOWN
    return OfflineRule(
        lists=known or everybody,
        everybody=everybody,
        at_once=mode in {AuthorisationMode.KNOWN, AuthorisationMode.KNOWN_OR_ASK},
        remembers=mode is AuthorisationMode.KNOWN,
        free=mode is AuthorisationMode.FREE,
    )


def listed(rule: OfflineRule, drivers: Iterable[DriverRecord], now: float) -> tuple[ListedToken, ...]:
    """Return the tokens that a rule treats otherwise than unknown ones."""
    tokens = []
    for driver in drivers:
        may = driver.enabled and (driver.expires_at is None or driver.expires_at > now)
        if may is rule.everybody or not rule.lists:
            continue
        tokens.append(
            ListedToken(
                id_tag=driver.id_tag,
                accepted=may,
                kind=driver.kind,
                group=driver.group,
                expires_at=driver.expires_at if may else None,
            )
        )
    return tuple(tokens)


def digest_of(tokens: Sequence[ListedToken]) -> str:
    """Return what tells a list from others, and nothing of the tokens."""
    return hashlib.sha256(repr([asdict(token) for token in tokens]).encode()).hexdigest()


class TokenPolicies:
    """The policies of one site, by the rule that they follow."""

    def __init__(self, numbers: dict[str, ListNumber]) -> None:
        """Go on with the numbers that lists had; they are kept up."""
        self._numbers = numbers
        self._made: dict[str, TokenPolicy] = {}

    def policy(
        self, mode: AuthorisationMode, unanswered: Unanswered, drivers: Iterable[DriverRecord], now: float
    ) -> tuple[TokenPolicy, ListNumber]:
        """Return what a charge point with this rule is to hold, and the number of its list."""
        rule = offline_rule(mode, unanswered)
        tokens = listed(rule, drivers, now)
        number, digest = self._numbers.get(mode.value), digest_of(tokens)
        if number is None or number.digest != digest:
            last = max((known.version for known in self._numbers.values()), default=0)
            number = ListNumber(version=max(last + LIST_STEP, int(now - EPOCH_S)), digest=digest)
            self._numbers[mode.value] = number
        made = TokenPolicy(rule=rule, version=number.version, tokens=tokens)
        if self._made.get(mode.value) != made:
            self._made[mode.value] = made
        return self._made[mode.value], number
