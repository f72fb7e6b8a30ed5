"""Answers charge points that ask whether a token may charge.

What is decided is `authorisation.rule`. Around it this module finds what is known of the token, which is known by heart
so that no disk is waited for, and what runs with it; has Home Assistant asked where that is the rule; and has told what
became of the card. Drivers that could not be read at the start are read again as soon as that is possible. Until then
nobody is known, which lets nobody in that the rule does not let in anyway.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from ..ledger.drivers import DriverRecord
from ..ledger.writer import StoreUnavailable
from ..ocpp.pacing import CalmLog
from ..ocpp.protocols import Authorisation, AuthorisationStatus, Clock, Purpose
from ..ocpp.tokens import TokenType, folded, same_type
from .authorisation import Presented, Ruling, rule
from .cards import CardDesk, Running, ShownCard
from .door import Door
from .settings import ChargePointSettings, SiteSettings

LOGGER = logging.getLogger(__name__)

FREE_TAG = "CHARGECLUSTER"
"""The token of transactions that are started from here in nobody's name."""

LEARN_EVERY_S = 10.0
"""While the drivers cannot be read it is tried again this often at most, when somebody shows a token."""
LEARN_PATIENCE_S = 3.0
STARTING_S = 20.0
"""So long after a start was accepted it counts as running, though the site has not heard of it yet."""
MOST_STARTING = 256


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

    def running(self) -> Iterable[Running]:
        """Return the transactions that run at it."""


class TokenAuthoriser:
    """Decides on tokens at the charge points of one listener."""

    def __init__(
        self,
        door: Door,
        drivers: Drivers,
        sites: Callable[[], Mapping[str, WhereCardsAreShown]],
        clock: Clock,
        *,
        learned: Callable[[], None],
    ) -> None:
        """Know nobody yet.

        Args:
            door: knows the charge points.
            drivers: knows the drivers of all sites.
            sites: gives all sites that run, by their ids: a token may charge already at another one.
            clock: the clock.
            learned: told when the drivers could be read that could not be read at the start.
        """
        self._learned = learned
        self._door = door
        self._drivers = drivers
        self._sites = sites
        self._clock = clock
        self._learning: asyncio.Task[None] | None = None
        self._learn_at = float("-inf")
        self._starting: dict[tuple[str, int], tuple[str, float]] = {}
        """By charge point and connector: the token that was accepted to start there, and until when that counts."""
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
        presented = Presented(
            kind=kind,
            purpose=purpose,
            age_s=age_s,
            elsewhere=self._elsewhere(point, connector, id_tag),
            runs_here=self._runs_at(here, point, id_tag, known),
        )
        ruling = rule(
            settings.mode_at(point), settings.authorisation.unanswered, known, presented, now=self._clock.time()
        )
        status = await self._settled(settings, point, here.cards, id_tag, connector, ruling, known)
        if purpose is Purpose.START and status is AuthorisationStatus.ACCEPTED and connector is not None:
            self._note_start(point, connector, id_tag)
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

    # What runs -----------------------------------------------------------------------------------------------------

    def _elsewhere(self, point: ChargePointSettings, connector: int | None, id_tag: str) -> int:
        """Return at how many other connectors a transaction runs with a token."""
        now = self._clock.monotonic()
        token = folded(id_tag)
        places = {
            (running.charge_point_id, running.connector)
            for site in self._sites().values()
            for running in site.running()
            if folded(running.id_tag) == token
        }
        for place, (started, until) in list(self._starting.items()):
            if now >= until:
                del self._starting[place]
            elif started == token:
                places.add(place)
        return len(places - {(point.charge_point_id, connector)})

    def _note_start(self, point: ChargePointSettings, connector: int, id_tag: str) -> None:
        self._starting[point.charge_point_id, connector] = (folded(id_tag), self._clock.monotonic() + STARTING_S)
        while len(self._starting) > MOST_STARTING:
            del self._starting[next(iter(self._starting))]

    def _runs_at(
        self, here: WhereCardsAreShown, point: ChargePointSettings, id_tag: str, known: DriverRecord | None
    ) -> bool:
        """Return whether a transaction runs at a charge point that a token may stop."""
        for running in here.running():
            if running.charge_point_id != point.charge_point_id:
                continue
            if folded(running.id_tag) == folded(id_tag):
                return True
            starter = self._drivers.known(running.id_tag)
            if known is not None and starter is not None and known.group is not None and known.group == starter.group:
                return True
        return False

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
    settings: SiteSettings, point: ChargePointSettings, known: DriverRecord | None, now: float
) -> AuthorisationStatus:
    """Return whether a transaction may be started from here with a token of which this is known.

    Where Home Assistant decides, whoever starts it has decided.
    """
    ruling = rule(settings.mode_at(point), settings.authorisation.unanswered, known, Presented(), now=now)
    return AuthorisationStatus.ACCEPTED if ruling.asks else ruling.status
