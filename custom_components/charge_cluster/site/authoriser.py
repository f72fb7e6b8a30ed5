"""Answers charge points that ask whether a token may charge.

What is decided is `authorisation.rule`. Around it this module finds what is known of the token, which is known by heart
so that no disk is waited for, and what runs with it; has Home Assistant asked where that is the rule; and has told what
became of the card. Drivers that could not be read at the start are read again as soon as that is possible. Until then
nobody is known, which lets nobody in that the rule does not let in anyway.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from ..ledger.drivers import DriverRecord
from ..ledger.writer import StoreUnavailable
from ..ocpp.pacing import CalmLog
from ..ocpp.protocols import Authorisation, AuthorisationStatus, Clock, Purpose
from ..ocpp.tokens import TokenType, same_type
from .authorisation import Elsewhere, Presented, Ruling, rule
from .cards import CardDesk, ShownCard
from .door import Door
from .in_use import TokensInUse
from .settings import ChargePointSettings, SiteSettings

LOGGER = logging.getLogger(__name__)

FREE_TAG = "CHARGECLUSTER"
"""The token of transactions that are started from here in nobody's name."""

LEARN_EVERY_S = 10.0
"""While the drivers cannot be read it is tried again this often at most, when somebody shows a token."""
LEARN_PATIENCE_S = 3.0


class Drivers(Protocol):
    """Knows drivers by their tokens."""

    @property
    def learned(self) -> bool:
        """Return whether they have been read since the start."""

    async def learn(self) -> None:
        """Read them. Raises StoreUnavailable."""

    def known(self, id_tag: str) -> DriverRecord | None:
        """Return the driver with a token; None: nobody is known by it."""


class WhereCardsAreShown(Protocol):
    """What a site knows of cards."""

    @property
    def cards(self) -> CardDesk:
        """Return the cards that are shown at it."""


class TokenAuthoriser:
    """Decides on tokens at the charge points of one listener."""

    def __init__(
        self,
        door: Door,
        drivers: Drivers,
        sites: Callable[[], Mapping[str, WhereCardsAreShown]],
        in_use: TokensInUse,
        clock: Clock,
        *,
        learned: Callable[[], None],
    ) -> None:
        """Know nobody yet.

        Args:
            door: knows the charge points.
            drivers: knows the drivers of all sites.
            sites: gives all sites that run, by their ids.
            in_use: knows with which tokens transactions run: a token may charge already at another site.
            clock: the clock.
            learned: told when the drivers could be read that could not be read at the start.
        """
        self._learned = learned
        self._door = door
        self._drivers = drivers
        self._sites = sites
        self._in_use = in_use
        self._clock = clock
        self._learning: asyncio.Task[None] | None = None
        self._learn_at = float("-inf")
        self._log = CalmLog(LOGGER, clock.monotonic)

    async def authorise(
        self,
        charge_point_id: str,
        id_tag: str,
        *,
        kind: TokenType | None = None,
        connector: int | None = None,
        purpose: Purpose = Purpose.ASK,
        age_s: float = 0.0,
    ) -> Authorisation:
        """Return the decision on a token at a charge point (its OCPP identity)."""
        found = self._door.find(charge_point_id)
        here = None if found is None else self._sites().get(found[0].site_id)
        if found is None or here is None:
            return Authorisation(status=AuthorisationStatus.INVALID)
        settings, point = found
        await self._be_learned()
        known = self._known(id_tag, kind)
        group = None if known is None else known.group
        presented = Presented(
            kind=kind,
            purpose=purpose,
            age_s=age_s,
            elsewhere=self._in_use.elsewhere(point, connector, id_tag, group),
            runs_here=self._in_use.may_be_stopped(settings.site_id, point, id_tag, group),
        )
        ruling = rule(settings.mode_at(point), settings.authorisation, known, presented, now=self._clock.time())
        status = await self._settled(settings, point, here.cards, id_tag, connector, ruling, known)
        if purpose is Purpose.START and status is AuthorisationStatus.ACCEPTED and connector is not None:
            self._in_use.begins(point, connector, id_tag)
        if purpose is not Purpose.STOP and id_tag != FREE_TAG and kind is not TokenType.NO_AUTHORISATION:
            shown = ShownCard(
                charge_point_id=point.charge_point_id,
                connector=connector,
                id_tag=id_tag,
                kind=kind,
                shown_at=self._clock.time() - age_s,
                status=status,
                starts=purpose is Purpose.START,
            )
            here.cards.shown(shown, driver=None if known is None else known.name)
        return Authorisation(status=status, parent_id_tag=ruling.group, expires_at=ruling.expires_at)

    async def _settled(  # noqa: PLR0917 - all that a question is made of
        self,
        settings: SiteSettings,
        point: ChargePointSettings,
        cards: CardDesk,
        id_tag: str,
        connector: int | None,
        ruling: Ruling,
        known: DriverRecord | None,
    ) -> AuthorisationStatus:
        """Return the status of a ruling, after Home Assistant was asked where it is to be."""
        if not ruling.asks:
            return ruling.status
        accepted = cards.decided(point.charge_point_id, id_tag)
        if accepted is None:
            accepted = await cards.ask(
                point.charge_point_id,
                connector,
                id_tag,
                driver=None if known is None else known.name,
                time_out_s=settings.authorisation.time_out_s,
            )
        if accepted is None:
            return ruling.status
        return AuthorisationStatus.ACCEPTED if accepted else AuthorisationStatus.INVALID

    def _known(self, id_tag: str, kind: TokenType | None) -> DriverRecord | None:
        known = self._drivers.known(id_tag)
        return known if known is not None and same_type(known.kind, kind) else None

    # Who is known --------------------------------------------------------------------------------------------------

    async def _be_learned(self) -> None:
        """Try to read the drivers where that has failed so far; nobody waits long for it."""
        if self._drivers.learned:
            return
        if self._learning is None and self._clock.monotonic() >= self._learn_at:
            self._learn_at = self._clock.monotonic() + LEARN_EVERY_S
            self._learning = asyncio.get_running_loop().create_task(self._learn())
            self._learning.add_done_callback(self._learning_ended)
        if self._learning is not None:
            await asyncio.wait([self._learning], timeout=LEARN_PATIENCE_S)

    def _learning_ended(self, _task: asyncio.Task[None]) -> None:
        self._learning = None

    async def _learn(self) -> None:
        try:
            await self._drivers.learn()
        except StoreUnavailable:
            self._log.warning("The drivers cannot be read: nobody is known")
        else:
            self._learned()


def may_start(
    settings: SiteSettings,
    point: ChargePointSettings,
    known: DriverRecord | None,
    now: float,
    *,
    elsewhere: Elsewhere,
    purpose: Purpose,
) -> AuthorisationStatus:
    """Return whether a transaction may be started, or is to be kept a place for, with a token of which this is known.

    Where Home Assistant decides, whoever starts it has decided.
    """
    presented = Presented(purpose=purpose, elsewhere=elsewhere)
    ruling = rule(settings.mode_at(point), settings.authorisation, known, presented, now=now)
    return AuthorisationStatus.ACCEPTED if ruling.asks else ruling.status
