"""The cards that are shown at a site: who was accepted, who was refused, and about whom Home Assistant is asked.

What happened is told to whoever listens, without the token itself. Tokens that nobody is known by are remembered for a
while, so that the owner can take one up that was just shown. Everything here is bounded: a charge point can show as
many tokens as it likes.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..ocpp.listeners import enlist
from ..ocpp.protocols import AuthorisationStatus, Clock
from ..ocpp.tokens import TokenType, folded
from .authorisation import masked

MOST_REMEMBERED = 50
"""Tokens that nobody is known by."""
REMEMBERED_S = 24 * 3600.0
MOST_QUESTIONS = 64
"""That wait for an answer at a time; more are not asked."""
MOST_DECIDED = 256
DECIDED_FOR_S = 120.0
"""A decision holds for so long: a card that was accepted starts a transaction, one answered late is shown again."""
MOST_TOLD = 256


class CardNews(StrEnum):
    """What happens to a card."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    ASKED = "asked"
    """Home Assistant is to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardEvent:
    """Something that happened to a card."""

    kind: CardNews
    charge_point_id: str
    connector: int | None
    decision_id: str
    status: AuthorisationStatus | None
    """None: not decided."""
    driver: str | None
    """The name; None: nobody is known by the card."""
    card: str
    """So much of the token as everybody may see."""
    until: float | None = None
    """Until when (UTC POSIX seconds) it can be decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCard:
    """A token as it was shown; its text is for administrators."""

    charge_point_id: str
    connector: int | None
    id_tag: str
    kind: TokenType | None
    shown_at: float
    """UTC POSIX seconds."""
    status: AuthorisationStatus
    starts: bool = False
    """Whether it was told with the start of a transaction, and not asked about before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A transaction that runs, and the token that it runs with."""

    charge_point_id: str
    connector: int
    id_tag: str


@dataclass(slots=True, eq=False, kw_only=True)
class Question:
    """What Home Assistant is asked about a card."""

    decision_id: str
    charge_point_id: str
    connector: int | None
    id_tag: str
    driver: str | None
    asked_at: float
    until: float
    """Both UTC POSIX seconds."""
    answer: asyncio.Future[bool | None]
    """None: nobody answered in time."""
    expiry: asyncio.TimerHandle | None = None


class UnknownDecision(Exception):
    """Nothing is (any longer) to be decided under this id."""


class CardDesk:
    """The cards that are shown at one site."""

    def __init__(self, clock: Clock) -> None:
        """Begin without any."""
        self._clock = clock
        self._listeners: list[Callable[[CardEvent], None]] = []
        self._watchers: list[Callable[[ShownCard], None]] = []
        self._unknown: OrderedDict[tuple[str, TokenType | None], ShownCard] = OrderedDict()
        self._questions: dict[str, Question] = {}
        self._missed: OrderedDict[str, tuple[str, str, float]] = OrderedDict()
        """By the id of a question that nobody answered in time: charge point, token and until when (monotonic) the
        answer still counts."""
        self._decided: OrderedDict[tuple[str, str], tuple[bool, float]] = OrderedDict()
        """By charge point and token: whether Home Assistant accepted it, and until when (monotonic) that counts."""
        self._told: OrderedDict[tuple[str, str], tuple[AuthorisationStatus, float]] = OrderedDict()

    def listen(self, seen: Callable[[CardEvent], None]) -> Callable[[], None]:
        """Have told what happens to cards; return what ends it."""
        return enlist(self._listeners, seen)

    def watch(self, seen: Callable[[ShownCard], None]) -> Callable[[], None]:
        """Have every card told that is shown, also the same one again; return what ends it."""
        return enlist(self._watchers, seen)

    # What Home Assistant decides -----------------------------------------------------------------------------------

    def questions(self) -> Sequence[Question]:
        """Return what waits to be decided, oldest first."""
        return list(self._questions.values())

    def decided(self, charge_point_id: str, id_tag: str) -> bool | None:
        """Return what was decided on a token a moment ago; None: nothing."""
        accepted, until = self._decided.get((charge_point_id, folded(id_tag)), (None, 0.0))
        return accepted if self._clock.monotonic() < until else None

    def decide(self, charge_point_id: str, id_tag: str, *, accepted: bool) -> None:
        """Take note that a token is accepted at a charge point, or refused, when it is shown next."""
        until = self._clock.monotonic() + DECIDED_FOR_S
        _remember(self._decided, (charge_point_id, folded(id_tag)), (accepted, until), MOST_DECIDED)

    async def ask(
        self, charge_point_id: str, connector: int | None, id_tag: str, *, driver: str | None, time_out_s: float
    ) -> bool | None:
        """Ask Home Assistant whether a token may charge; None: it did not say in time, or too many wait already."""
        question = self._asked_already(charge_point_id, id_tag)
        if question is None:
            if len(self._questions) >= MOST_QUESTIONS:
                return None
            question = self._put(charge_point_id, connector, id_tag, driver=driver, time_out_s=time_out_s)
        # A charge point that gives up waiting ends its own wait alone.
        return await asyncio.shield(question.answer)

    def _asked_already(self, charge_point_id: str, id_tag: str) -> Question | None:
        """Return the question about a token that is shown again while it waits."""
        for question in self._questions.values():
            if question.charge_point_id == charge_point_id and folded(question.id_tag) == folded(id_tag):
                return question
        return None

    def _put(
        self, charge_point_id: str, connector: int | None, id_tag: str, *, driver: str | None, time_out_s: float
    ) -> Question:
        now = self._clock.time()
        question = Question(
            decision_id=uuid.uuid4().hex,
            charge_point_id=charge_point_id,
            connector=connector,
            id_tag=id_tag,
            driver=driver,
            asked_at=now,
            until=now + time_out_s,
            answer=asyncio.get_running_loop().create_future(),
        )
        self._questions[question.decision_id] = question
        question.expiry = asyncio.get_running_loop().call_later(time_out_s, self._expire, question)
        self._tell(
            CardEvent(
                kind=CardNews.ASKED,
                charge_point_id=charge_point_id,
                connector=connector,
                decision_id=question.decision_id,
                status=None,
                driver=driver,
                card=masked(id_tag),
                until=question.until,
            )
        )
        return question

    def _expire(self, question: Question) -> None:
        del self._questions[question.decision_id]
        until = self._clock.monotonic() + DECIDED_FOR_S
        missed = (question.charge_point_id, question.id_tag, until)
        _remember(self._missed, question.decision_id, missed, MOST_DECIDED)
        question.answer.set_result(None)

    def answer(self, decision_id: str, *, accepted: bool) -> bool:
        """Decide; return whether it was in time. What is late counts when the card is shown again.

        Raises:
            UnknownDecision: there is nothing to decide.
        """
        question = self._questions.pop(decision_id, None)
        if question is not None:
            self.decide(question.charge_point_id, question.id_tag, accepted=accepted)
            self._settle(question, accepted=accepted)
            return True
        charge_point_id, id_tag, until = self._missed.pop(decision_id, ("", "", 0.0))
        if self._clock.monotonic() >= until:
            raise UnknownDecision
        self.decide(charge_point_id, id_tag, accepted=accepted)
        return False

    def _settle(self, question: Question, *, accepted: bool | None) -> None:
        if question.expiry is not None:
            question.expiry.cancel()
        question.answer.set_result(accepted)

    def close(self) -> None:
        """Leave open what was not decided."""
        while self._questions:
            self._settle(self._questions.popitem()[1], accepted=None)

    # What was shown ------------------------------------------------------------------------------------------------

    def unknown(self) -> Sequence[ShownCard]:
        """Return the tokens that nobody is known by, shown lately, newest first."""
        since = self._clock.time() - REMEMBERED_S
        return [shown for shown in reversed(self._unknown.values()) if shown.shown_at >= since]

    def taken_up(self, id_tag: str) -> None:
        """Take note that somebody is known by a token from now on."""
        for key in [key for key in self._unknown if key[0] == folded(id_tag)]:
            del self._unknown[key]

    def shown(self, shown: ShownCard, *, driver: str | None) -> None:
        """Take note of a token that was shown and of what became of it."""
        for watcher in list(self._watchers):
            watcher(shown)
        if driver is None:
            _remember(self._unknown, (folded(shown.id_tag), shown.kind), shown, MOST_REMEMBERED)
        key = (shown.charge_point_id, folded(shown.id_tag))
        now = self._clock.monotonic()
        status, until = self._told.get(key, (None, 0.0))
        _remember(self._told, key, (shown.status, now + DECIDED_FOR_S), MOST_TOLD)
        if status is shown.status and now < until:
            return
        accepted = shown.status is AuthorisationStatus.ACCEPTED
        self._tell(
            CardEvent(
                kind=CardNews.ACCEPTED if accepted else CardNews.REFUSED,
                charge_point_id=shown.charge_point_id,
                connector=shown.connector,
                decision_id=uuid.uuid4().hex,
                status=shown.status,
                driver=driver,
                card=masked(shown.id_tag),
            )
        )

    def _tell(self, event: CardEvent) -> None:
        for listener in list(self._listeners):
            listener(event)


def _remember[KeyT, ValueT](kept: OrderedDict[KeyT, ValueT], key: KeyT, value: ValueT, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
