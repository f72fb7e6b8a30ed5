"""A charge point in OCPP 2.x that somebody else wrote profiles to, and what becomes of them."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from custom_components.charge_cluster.ocpp.conversation import LimitWish, Outcome, Report, Terminals
from custom_components.charge_cluster.ocpp.held import HeldProfile
from custom_components.charge_cluster.ocpp.limits import Limits
from custom_components.charge_cluster.ocpp.profiles import Kind, Purpose
from custom_components.charge_cluster.ocpp.rpc import CallRefused, CallTimedOut, Compose, Late
from custom_components.charge_cluster.ocpp.times import ChargerClock
from custom_components.charge_cluster.ocpp.v2.inventory import PATIENCE_S, Inventory
from custom_components.charge_cluster.ocpp.v2.profiles import Dialect2
from tests.virtual_time import VirtualClock, VirtualLoop, run_virtually

from .schemas import V201, conforms

TRANSACTION = "a-transaction"


def foreign(
    number: int,
    limit: float,
    *,
    purpose: str = "TxDefaultProfile",
    level: int = 0,
    evse: int = 1,
    source: str = "CSO",
    **more: Any,
) -> tuple[int, str, dict[str, Any]]:
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    profile = {
        "id": number,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": [schedule],
        **more,
    }
    return evse, source, profile


class Charger:
    """A charge point that holds profiles, refuses two on one level, and tells them when it is asked."""

    def __init__(self, *profiles: tuple[int, str, dict[str, Any]]) -> None:
        self.held = {profile["id"]: (evse, source, profile) for evse, source, profile in profiles}
        self.asked: list[tuple[str, Any]] = []
        self.bundle = 1
        """So many profiles it tells in a message."""
        self.tells = True
        self.answers: dict[str, Callable[[Any], Any]] = {
            "SetChargingProfile": self._set,
            "ClearChargingProfile": self._clear,
            "GetChargingProfiles": self._get,
            "GetCompositeSchedule": lambda _: {"status": "Rejected"},
        }
        self.inventory = Inventory(self.ask)
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, action: str, payload: Any) -> Any:
        assert conforms(action, payload, V201)
        self.asked.append((action, payload))
        answer = self.answers[action](payload)
        if isinstance(answer, Exception):
            raise answer
        assert conforms(f"{action}Response", answer, V201)
        return answer

    def calls(self, action: str) -> list[Any]:
        return [payload for name, payload in self.asked if name == action]

    def _set(self, payload: Any) -> Any:
        evse, profile = payload["evseId"], payload["chargingProfile"]
        place = (profile["chargingProfilePurpose"], profile["stackLevel"])
        for other_evse, _, other in self.held.values():
            same = (other["chargingProfilePurpose"], other["stackLevel"]) == place
            if same and other_evse in {0, evse} and other["id"] != profile["id"]:
                return {"status": "Rejected", "statusInfo": {"reasonCode": "DuplicateProfile"}}
        self.held[profile["id"]] = (evse, "CSO", profile)
        return {"status": "Accepted"}

    def _clear(self, payload: Any) -> Any:
        known = self.held.pop(payload["chargingProfileId"], None)
        return {"status": "Unknown" if known is None else "Accepted"}

    def _get(self, payload: Any) -> Any:
        if not self.held:
            return {"status": "NoProfiles"}
        if self.tells:
            task = asyncio.create_task(self._tell(payload["requestId"]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return {"status": "Accepted"}

    async def _tell(self, request: int) -> None:
        entries = list(self.held.values())
        for number, (evse, source, profile) in enumerate(entries):
            payload = {
                "requestId": request,
                "chargingLimitSource": source,
                "evseId": evse,
                "chargingProfile": [profile],
                "tbc": number + 1 < len(entries),
            }
            assert conforms("ReportChargingProfiles", payload, V201)
            assert self.inventory.reported(payload) == {}
            await asyncio.sleep(1)


class Scene:
    """A charger and what makes it hold limits."""

    def __init__(self, loop: VirtualLoop, charger: Charger, variables: Mapping[str, str]) -> None:
        self.clock = VirtualClock(loop)
        self.charger = charger
        self.transaction: str | None = None
        self.reports: list[Report] = []
        self.limits = Limits(
            dialect=Dialect2(lambda name, _evse: variables.get(name), lambda: 1, speaks_21=False),
            ask_limit=self._ask_limit,
            ask=charger.ask,
            clock=self.clock,
            charger_clock=ChargerClock(),
            transaction_at=lambda _: self.transaction,
            busy=lambda _: False,
            proved_phases=lambda _: 1,
            forget_phases=lambda _: None,
            report=self.reports.append,
            read_held=charger.inventory.read,
        )
        self.limits.terminals[1] = Terminals(connector=1)

    async def _ask_limit(self, _connector: int, compose: Compose, _late: Late) -> Any:
        return await self.charger.ask("SetChargingProfile", compose())

    async def hold(self, amps: float, fallback_a: float = 6) -> Outcome:
        return await self.limits.hold(1, LimitWish(amps=amps, fallback_a=fallback_a, validity_s=30))


def scene(
    *profiles: tuple[int, str, dict[str, Any]], **variables: str
) -> Callable[[Callable[[Scene], Coroutine[Any, Any, None]]], Callable[[], None]]:
    """Make a test of a story about a charger that holds these profiles."""

    def wrap(story: Callable[[Scene], Coroutine[Any, Any, None]]) -> Callable[[], None]:
        def test() -> None:
            loop = VirtualLoop()

            async def play() -> None:
                await story(Scene(loop, Charger(*profiles), variables))

            run_virtually(play(), loop)

        test.__name__ = story.__name__
        return test

    return wrap


def others(scene: Scene) -> set[int]:
    """Return the ids of the profiles that are not ours."""
    return {number for number in scene.charger.held if number < 16_000}


@scene()
async def test_an_empty_charger_is_asked_once_and_given_the_fallback(scene: Scene) -> None:
    for _ in range(3):
        assert await scene.limits.store_fallback(1, 6) is Outcome.ACCEPTED
    assert len(scene.charger.calls("GetChargingProfiles")) == 1
    assert len(scene.charger.calls("SetChargingProfile")) == 1


@scene(foreign(7, 32, level=5), foreign(8, 20, level=3, evse=0))
async def test_default_profiles_of_another_back_office_go_once_ours_lies_there(scene: Scene) -> None:
    assert await scene.limits.store_fallback(1, 6) is Outcome.ACCEPTED
    assert others(scene) == set()
    actions = [action for action, _ in scene.charger.asked if action != "GetCompositeSchedule"]
    assert actions.index("SetChargingProfile") < actions.index("ClearChargingProfile")


@scene(foreign(7, 32, level=0))
async def test_a_profile_on_our_level_makes_way_where_the_charger_refuses_two(scene: Scene) -> None:
    assert await scene.limits.store_fallback(1, 6) is Outcome.ACCEPTED
    assert others(scene) == set()
    (ours,) = [profile for _, _, profile in scene.charger.held.values()]
    assert ours["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 6


@scene(foreign(7, 32, level=5, source="EMS"))
async def test_a_fallback_below_what_an_energy_manager_allows_is_not_said_to_be_held(scene: Scene) -> None:
    assert await scene.limits.store_fallback(1, 6) is Outcome.REFUSED
    assert others(scene) == {7}


@scene(foreign(7, 6, level=5, source="EMS"))
async def test_what_allows_no_more_than_the_fallback_may_stay(scene: Scene) -> None:
    assert await scene.limits.store_fallback(1, 6) is Outcome.ACCEPTED
    assert others(scene) == {7}


@scene(
    foreign(7, 10, purpose="ChargingStationMaxProfile", evse=0),
    foreign(-3, 8, purpose="ChargingStationExternalConstraints", evse=0, source="SO"),
)
async def test_what_can_only_lower_stays(scene: Scene) -> None:
    assert await scene.limits.store_fallback(1, 6) is Outcome.ACCEPTED
    assert others(scene) == {7, -3}
    assert scene.charger.calls("ClearChargingProfile") == [{"chargingProfileId": 16011}]


@scene(foreign(7, 32, level=5))
async def test_a_profile_that_cannot_be_taken_out_leaves_the_fallback_unproved(scene: Scene) -> None:
    scene.charger.answers["ClearChargingProfile"] = lambda _: CallRefused("NotSupported", "")
    assert await scene.limits.store_fallback(1, 6) is Outcome.REFUSED


@scene(foreign(7, 32, purpose="TxProfile", level=8, transactionId=TRANSACTION))
async def test_a_limit_below_somebody_elses_for_the_transaction_is_not_said_to_hold(scene: Scene) -> None:
    scene.transaction = TRANSACTION
    scene.charger.answers["ClearChargingProfile"] = lambda _: CallTimedOut("late")
    await scene.limits.store_fallback(1, 6)
    assert await scene.hold(10) is Outcome.UNKNOWN
    scene.charger.answers["ClearChargingProfile"] = scene.charger._clear
    await scene.limits.store_fallback(1, 6)
    assert others(scene) == set()
    assert await scene.hold(10) is Outcome.ACCEPTED


@scene(foreign(7, 32, level=5))
async def test_after_a_new_connection_it_is_looked_at_again(scene: Scene) -> None:
    await scene.limits.store_fallback(1, 6)
    evse, source, profile = foreign(9, 32, level=6)
    scene.charger.held[9] = (evse, source, profile)
    scene.limits.look_again()
    assert await scene.limits.store_fallback(1, 6) is Outcome.ACCEPTED
    assert others(scene) == set()


@scene(foreign(7, 32, level=5))
async def test_a_charger_that_never_tells_is_waited_for_no_longer_than_that(scene: Scene) -> None:
    scene.charger.tells = False
    began = scene.clock.monotonic()
    assert await scene.limits.store_fallback(1, 6) is Outcome.ACCEPTED
    assert scene.clock.monotonic() - began == pytest.approx(PATIENCE_S, abs=1)


@pytest.mark.parametrize("failure", [CallRefused("NotImplemented", ""), CallTimedOut("late")], ids=["refused", "late"])
def test_a_charger_that_cannot_be_asked_is_given_the_fallback_all_the_same(failure: Exception) -> None:
    @scene(foreign(7, 32, level=5))
    async def story(scene: Scene) -> None:
        scene.charger.answers["GetChargingProfiles"] = lambda _: failure
        assert await scene.limits.store_fallback(1, 6) is Outcome.ACCEPTED

    story()


@scene()
async def test_what_held_an_idle_connector_below_a_higher_fallback_of_before_goes(scene: Scene) -> None:
    await scene.limits.store_fallback(1, 10)
    assert await scene.hold(0, fallback_a=10) is Outcome.ACCEPTED
    assert len(scene.charger.held) == 2
    assert await scene.limits.store_fallback(1, 6) is Outcome.ACCEPTED
    assert [profile["stackLevel"] for _, _, profile in scene.charger.held.values()] == [0]


@scene()
async def test_what_cannot_be_taken_out_is_written_over(scene: Scene) -> None:
    await scene.limits.store_fallback(1, 10)
    await scene.hold(0, fallback_a=10)
    scene.charger.answers["ClearChargingProfile"] = lambda _: CallRefused("NotSupported", "")
    assert await scene.limits.store_fallback(1, 6) is Outcome.ACCEPTED
    limits = [
        [period["limit"] for period in profile["chargingSchedule"][0]["chargingSchedulePeriod"]]
        for _, _, profile in scene.charger.held.values()
    ]
    assert limits == [[6], [6, 6]]


# What is told ---------------------------------------------------------------------------------------------------------


def told(*messages: dict[str, Any], asked: bool = True) -> tuple[HeldProfile, ...] | None:
    """Return what is read of a report in these messages."""

    async def play() -> tuple[HeldProfile, ...] | None:
        inventory: Inventory

        async def ask(_action: str, payload: Any) -> Any:
            for message in messages:
                inventory.reported({"requestId": payload["requestId"] if asked else 99, **message})
            return {"status": "Accepted"}

        inventory = Inventory(ask)
        return await inventory.read()

    return run_virtually(play(), VirtualLoop())


def message(*entries: Any, tbc: bool = False) -> dict[str, Any]:
    return {"chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": list(entries), "tbc": tbc}


def test_a_report_is_whole_with_the_message_that_says_so() -> None:
    entries = [foreign(number, 6)[2] for number in (1, 2, 3)]
    read = told(message(entries[0], tbc=True), message(entries[1], entries[2]))
    assert read is not None
    assert [profile.profile_id for profile in read] == [1, 2, 3]


def test_a_profile_is_read_as_it_is() -> None:
    entry = foreign(
        5,
        6,
        purpose="TxProfile",
        level=2,
        transactionId=TRANSACTION,
        chargingProfileKind="Recurring",
        recurrencyKind="Weekly",
        validFrom="2026-12-01T00:00:00Z",
    )[2]
    read = told(message(entry))
    assert read is not None
    (profile,) = read
    assert (profile.purpose, profile.kind, profile.level, profile.connector) == (
        Purpose.TRANSACTION,
        Kind.RECURRING,
        2,
        1,
    )
    assert (profile.transaction, profile.recurs_s, profile.valid_from) == (TRANSACTION, 604_800, 1_796_083_200)


@pytest.mark.parametrize(
    "entry",
    [
        "x",
        {},
        {**foreign(5, 6)[2], "chargingProfilePurpose": "Something"},
        {**foreign(5, 6)[2], "id": "five"},
        {**foreign(5, 6)[2], "stackLevel": 1e300},
        {**foreign(5, 6)[2], "chargingProfileKind": ["Absolute"]},
    ],
    ids=["text", "empty", "purpose", "id", "level", "kind"],
)
def test_a_report_with_a_profile_that_cannot_be_placed_says_nothing(entry: Any) -> None:
    assert told(message(foreign(1, 6)[2], entry)) is None


def test_a_profile_whose_schedule_cannot_be_read_may_say_anything() -> None:
    read = told(message({**foreign(5, 6)[2], "chargingSchedule": [{"id": 1}]}))
    assert read is not None
    assert read[0].amps_at(0, 0) == float("inf")


def test_a_report_that_nobody_asked_for_is_not_kept() -> None:
    assert told(message(foreign(1, 6)[2]), asked=False) is None


def test_a_flood_of_profiles_says_nothing() -> None:
    assert told(message(*(foreign(number, 6)[2] for number in range(600)))) is None
