"""Answers to charge points: by what is known, by what runs, and by what Home Assistant says in time."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any

import pytest

from custom_components.charge_cluster.ledger.drivers import DriverRecord
from custom_components.charge_cluster.ledger.writer import StoreUnavailable
from custom_components.charge_cluster.ocpp.protocols import Authorisation, AuthorisationStatus, Purpose
from custom_components.charge_cluster.ocpp.tokens import TokenType
from custom_components.charge_cluster.site import cards
from custom_components.charge_cluster.site.authoriser import FREE_TAG, TokenAuthoriser
from custom_components.charge_cluster.site.cards import CardDesk, CardEvent, CardNews, Running, UnknownDecision
from custom_components.charge_cluster.site.door import Door
from custom_components.charge_cluster.site.in_use import TokensInUse
from custom_components.charge_cluster.site.settings import (
    AuthorisationMode,
    AuthorisationSettings,
    ChargePointSettings,
    CircuitSettings,
    Concurrency,
    ConnectorSettings,
    SiteSettings,
    Unanswered,
)
from tests.virtual_time import VirtualClock, VirtualLoop, run_virtually

ACCEPTED, INVALID = AuthorisationStatus.ACCEPTED, AuthorisationStatus.INVALID
UNKNOWN, CONCURRENT = AuthorisationStatus.UNKNOWN, AuthorisationStatus.CONCURRENT_TX


class Drivers:
    """Drivers on a disk that may be broken."""

    def __init__(self, *known: DriverRecord) -> None:
        self.on_disk = {driver.id_tag: driver for driver in known}
        self.by_heart = dict(self.on_disk)
        self.learned = True
        self.broken = False
        self.readings = 0

    async def learn(self) -> None:
        self.readings += 1
        if self.broken:
            raise StoreUnavailable("disk I/O error")
        self.by_heart, self.learned = dict(self.on_disk), True

    def known(self, id_tag: str) -> DriverRecord | None:
        return self.by_heart.get(id_tag.upper())

    def forget(self) -> None:
        self.by_heart, self.learned = {}, False


class Somewhere:
    """A site, so far as cards go."""

    def __init__(self, desk: CardDesk) -> None:
        self.cards = desk
        self.transactions: list[Running] = []

    def running(self) -> Iterable[Running]:
        return self.transactions


class Stage:
    """A site with two charge points, and another one."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = VirtualClock(loop)
        self.drivers = Drivers(
            DriverRecord(id_tag="ANN", name="Ann", group="OFFICE"),
            DriverRecord(id_tag="BOB", name="Bob", group="OFFICE"),
            DriverRecord(id_tag="VAN", name="Vans", at_once=2),
            DriverRecord(id_tag="1234", name="Code", kind=TokenType.KEY_CODE),
        )
        points = tuple(
            ChargePointSettings(
                charge_point_id=f"id-{name}",
                name=name,
                identity=name,
                circuit_id="supply",
                connectors=(ConnectorSettings(number=1, rotation=None),),
            )
            for name in ("CP1", "CP2", "CP3")
        )
        supply = CircuitSettings(circuit_id="supply", name="Depot", parent_id=None, rating_a=(63.0,) * 3)
        self.settings = SiteSettings(site_id="site", name="Depot", circuits=(supply,), charge_points=points)
        self.sites = {"site": Somewhere(CardDesk(self.clock)), "other": Somewhere(CardDesk(self.clock))}
        self.here = self.sites["site"]
        self.events: list[CardEvent] = []
        self.here.cards.listen(self.events.append)
        door = Door(lambda: [self.settings])
        self.learned = 0
        self.authoriser = TokenAuthoriser(
            door,
            self.drivers,
            lambda: self.sites,
            TokensInUse(self.drivers, lambda: self.sites, self.clock),
            self.clock,
            learned=self._count_learned,
        )

    def _count_learned(self) -> None:
        self.learned += 1

    def rule(self, mode: AuthorisationMode, **more: Any) -> None:
        self.settings = replace(self.settings, authorisation=AuthorisationSettings(mode=mode, **more))

    async def shown(self, tag: str, at: str = "CP1", **more: Any) -> AuthorisationStatus:
        return (await self.told(tag, at, **more)).status

    async def told(self, tag: str, at: str = "CP1", **more: Any) -> Authorisation:
        return await self.authoriser.authorise(at, tag, **more)

    def runs(self, tag: str, at: str, connector: int = 1, site: str = "site") -> None:
        running = Running(charge_point_id=f"id-{at}", connector=connector, id_tag=tag)
        self.sites[site].transactions.append(running)

    def news(self) -> list[tuple[CardNews, str | None]]:
        return [(event.kind, event.driver) for event in self.events]


def story(play: Callable[[Stage], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Make a test of a story in virtual time."""

    def test() -> None:
        loop = VirtualLoop()

        async def tell() -> None:
            await play(Stage(loop))

        run_virtually(tell(), loop)

    test.__name__, test.__doc__, test.__module__ = play.__name__, play.__doc__, play.__module__
    return test


# By what is known ---------------------------------------------------------------------------------------------------


@story
async def test_known_drivers_charge_whatever_the_case_of_their_token(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN)
    assert await stage.shown("ann") is ACCEPTED
    assert (await stage.told("Ann")).parent_id_tag == "OFFICE"
    assert await stage.shown("EVE") is UNKNOWN
    assert await stage.shown("1234", kind=TokenType.ISO14443) is UNKNOWN
    assert await stage.shown("1234", kind=TokenType.KEY_CODE) is ACCEPTED


@story
async def test_a_charge_point_may_have_a_rule_of_its_own(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN)
    first, *others = stage.settings.charge_points
    own = replace(first, authorisation=AuthorisationMode.EVERYBODY)
    stage.settings = replace(stage.settings, charge_points=(own, *others))
    assert await stage.shown("EVE", "CP1") is ACCEPTED
    assert await stage.shown("EVE", "CP2") is UNKNOWN


@story
async def test_at_a_charge_point_that_is_gone_nobody_charges(stage: Stage) -> None:
    assert await stage.shown("ANN", "GONE") is INVALID


@story
async def test_drivers_who_cannot_be_read_are_nobody_and_are_read_again(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN)
    stage.drivers.forget()
    stage.drivers.broken = True
    assert await stage.shown("ANN") is UNKNOWN
    assert await stage.shown("ANN") is UNKNOWN
    assert stage.drivers.readings == 1
    stage.drivers.broken = False
    assert stage.learned == 0
    await asyncio.sleep(11)
    assert await stage.shown("ANN") is ACCEPTED
    assert stage.learned == 1


@story
async def test_a_disk_that_does_not_answer_keeps_nobody_waiting_for_long(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN)
    stage.drivers.forget()

    async def for_ever() -> None:
        await asyncio.Event().wait()

    stage.drivers.learn = for_ever  # type: ignore[method-assign]  # a disk that hangs
    began = stage.clock.monotonic()
    assert await stage.shown("ANN") is UNKNOWN
    assert stage.clock.monotonic() - began <= 3.5


# By what runs -------------------------------------------------------------------------------------------------------


@story
async def test_a_token_may_charge_at_one_place_at_a_time(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN, concurrency=Concurrency.CARD)
    stage.runs("ann", "CP2")
    assert await stage.shown("ANN", connector=1) is ACCEPTED
    assert await stage.shown("ANN", connector=1, purpose=Purpose.START) is CONCURRENT
    assert await stage.shown("ANN", "CP2", connector=1, purpose=Purpose.START) is ACCEPTED


@story
async def test_a_token_that_charges_at_another_site_charges_elsewhere(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN, concurrency=Concurrency.CARD)
    stage.runs("ANN", "CP9", site="other")
    assert await stage.shown("ANN", connector=1, purpose=Purpose.START) is CONCURRENT


@story
async def test_two_starts_at_the_same_moment_are_one_too_many(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN, concurrency=Concurrency.CARD)
    first = await stage.shown("ANN", "CP1", connector=1, purpose=Purpose.START)
    second = await stage.shown("ANN", "CP2", connector=1, purpose=Purpose.START)
    again = await stage.shown("ANN", "CP1", connector=1, purpose=Purpose.START)
    await asyncio.sleep(30)
    later = await stage.shown("ANN", "CP2", connector=1, purpose=Purpose.START)
    assert [first, second, again, later] == [ACCEPTED, CONCURRENT, ACCEPTED, ACCEPTED]


@story
async def test_a_token_of_several_vehicles_charges_at_as_many_places_as_it_may(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN)
    starts = [await stage.shown("VAN", f"CP{number}", connector=1, purpose=Purpose.START) for number in (1, 2, 3)]
    assert starts == [ACCEPTED, ACCEPTED, CONCURRENT]


@story
async def test_a_token_charges_at_any_number_of_places_where_nothing_else_is_said(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN)
    starts = [await stage.shown("ANN", f"CP{number}", connector=1, purpose=Purpose.START) for number in (1, 2, 3)]
    assert starts == [ACCEPTED] * 3


@story
async def test_a_group_may_charge_at_one_place_at_a_time(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN, concurrency=Concurrency.GROUP)
    stage.runs("ANN", "CP9", site="other")
    told = await stage.told("BOB", connector=1, purpose=Purpose.START)
    assert (told.status, told.parent_id_tag) == (CONCURRENT, "OFFICE")
    assert await stage.shown("BOB", connector=1) is ACCEPTED
    assert await stage.shown("VAN", "CP2", connector=1, purpose=Purpose.START) is ACCEPTED


@story
async def test_two_of_a_group_that_start_at_the_same_moment_are_one_too_many(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN, concurrency=Concurrency.GROUP)
    first = await stage.shown("ANN", "CP1", connector=1, purpose=Purpose.START)
    second = await stage.shown("BOB", "CP2", connector=1, purpose=Purpose.START)
    assert [first, second] == [ACCEPTED, CONCURRENT]


@story
async def test_in_nobodys_name_any_number_charges(stage: Stage) -> None:
    starts = [await stage.shown(FREE_TAG, f"CP{n}", connector=1, purpose=Purpose.START) for n in (1, 2, 3)]
    assert starts == [ACCEPTED] * 3
    assert stage.events == []


@story
async def test_a_colleague_of_the_same_group_may_stop(stage: Stage) -> None:
    stage.rule(AuthorisationMode.ASK)
    stage.runs("ANN", "CP1")
    assert await stage.shown("BOB") is ACCEPTED
    assert stage.here.cards.questions() == []


# By what Home Assistant says ----------------------------------------------------------------------------------------


async def answered(stage: Stage, *, accepted: bool, after_s: float = 5.0) -> bool:
    await asyncio.sleep(after_s)
    decision = stage.events[-1].decision_id
    return stage.here.cards.answer(decision, accepted=accepted)


@story
async def test_home_assistant_accepts_and_the_start_that_follows_is_not_asked_about(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN_OR_ASK)
    status, in_time = await asyncio.gather(stage.shown("EVE12345"), answered(stage, accepted=True))
    assert (status, in_time) == (ACCEPTED, True)
    assert await stage.shown("EVE12345", connector=1, purpose=Purpose.START) is ACCEPTED
    assert stage.news() == [(CardNews.ASKED, None), (CardNews.ACCEPTED, None)]
    assert {event.card for event in stage.events} == {"…45"}


@story
async def test_home_assistant_refuses(stage: Stage) -> None:
    stage.rule(AuthorisationMode.ASK)
    status, _ = await asyncio.gather(stage.shown("ANN"), answered(stage, accepted=False))
    assert status is INVALID
    assert stage.news() == [(CardNews.ASKED, "Ann"), (CardNews.REFUSED, "Ann")]


@pytest.mark.parametrize("unanswered", Unanswered)
def test_without_an_answer_counts_what_was_chosen(unanswered: Unanswered) -> None:
    @story
    async def told(stage: Stage) -> None:
        stage.rule(AuthorisationMode.ASK, unanswered=unanswered, time_out_s=7.0)
        began = stage.clock.monotonic()
        statuses = await asyncio.gather(stage.shown("ANN", "CP1"), stage.shown("EVE", "CP2"))
        assert stage.clock.monotonic() - began == pytest.approx(7.0)
        assert [status is ACCEPTED for status in statuses] == [
            unanswered is not Unanswered.REFUSE,
            unanswered is Unanswered.ACCEPT,
        ]

    told()


@story
async def test_an_answer_that_is_late_counts_when_the_card_is_shown_again(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN_OR_ASK)
    assert await stage.shown("EVE") is INVALID
    decision = stage.events[0].decision_id
    assert not stage.here.cards.answer(decision, accepted=True)
    assert await stage.shown("EVE") is ACCEPTED
    with pytest.raises(UnknownDecision):
        stage.here.cards.answer(decision, accepted=True)


@story
async def test_an_answer_that_is_far_too_late_is_none(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN_OR_ASK)
    await stage.shown("EVE")
    await asyncio.sleep(121)
    with pytest.raises(UnknownDecision):
        stage.here.cards.answer(stage.events[0].decision_id, accepted=True)


@story
async def test_a_card_that_is_shown_twice_is_asked_about_once(stage: Stage) -> None:
    stage.rule(AuthorisationMode.ASK)
    first = asyncio.ensure_future(stage.shown("EVE"))
    await asyncio.sleep(1)
    first.cancel()  # the charge point hung up
    second, _ = await asyncio.gather(stage.shown("eve"), answered(stage, accepted=True))
    assert second is ACCEPTED
    assert [kind for kind, _ in stage.news()] == [CardNews.ASKED, CardNews.ACCEPTED]


@story
async def test_a_decision_holds_at_the_charge_point_and_for_a_while(stage: Stage) -> None:
    stage.rule(AuthorisationMode.ASK)
    await asyncio.gather(stage.shown("EVE"), answered(stage, accepted=True))
    assert stage.here.cards.decided("id-CP1", "eve") is True
    assert stage.here.cards.decided("id-CP2", "eve") is None
    await asyncio.sleep(121)
    assert stage.here.cards.decided("id-CP1", "eve") is None


@story
async def test_what_a_charge_point_decided_while_it_was_offline_is_not_asked_about(stage: Stage) -> None:
    stage.rule(AuthorisationMode.ASK, unanswered=Unanswered.KNOWN)
    assert await stage.shown("ANN", connector=1, purpose=Purpose.START, age_s=3600.0) is ACCEPTED
    assert await stage.shown("EVE", "CP2", connector=1, purpose=Purpose.START, age_s=3600.0) is INVALID
    assert CardNews.ASKED not in [kind for kind, _ in stage.news()]


@story
async def test_a_flood_of_cards_asks_no_more_than_people_can_answer(stage: Stage) -> None:
    stage.rule(AuthorisationMode.ASK)
    statuses = await asyncio.gather(*(stage.shown(f"TAG{number}") for number in range(1000)))
    assert set(statuses) == {INVALID}
    assert [kind for kind, _ in stage.news()].count(CardNews.ASKED) == cards.MOST_QUESTIONS
    assert len(stage.here.cards.unknown()) == cards.MOST_REMEMBERED
    assert stage.here.cards.questions() == []


@story
async def test_a_site_that_stops_leaves_nobody_waiting(stage: Stage) -> None:
    stage.rule(AuthorisationMode.ASK)
    waiting = asyncio.ensure_future(stage.shown("EVE"))
    await asyncio.sleep(1)
    stage.here.cards.close()
    assert await waiting is INVALID


# What is shown ------------------------------------------------------------------------------------------------------


@story
async def test_cards_that_nobody_is_known_by_are_remembered_newest_first_for_a_day(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN)
    for tag in ("EVE", "ANN", "MALLORY", "eve"):
        await stage.shown(tag)
    assert [shown.id_tag for shown in stage.here.cards.unknown()] == ["eve", "MALLORY"]
    stage.here.cards.taken_up("EVE")
    assert [shown.id_tag for shown in stage.here.cards.unknown()] == ["MALLORY"]
    await asyncio.sleep(24 * 3600 + 1)
    assert stage.here.cards.unknown() == []


@story
async def test_a_card_and_the_start_that_follows_are_one_piece_of_news(stage: Stage) -> None:
    stage.rule(AuthorisationMode.KNOWN, concurrency=Concurrency.CARD)
    await stage.shown("ANN")
    transaction: dict[str, Any] = {"connector": 1, "purpose": Purpose.START}
    await stage.shown("ANN", **transaction)
    stage.runs("ANN", "CP1")
    await stage.shown("ANN", purpose=Purpose.STOP)
    assert stage.news() == [(CardNews.ACCEPTED, "Ann")]
    await stage.shown("ANN", "CP2", **transaction)
    assert stage.news()[1:] == [(CardNews.REFUSED, "Ann")]
