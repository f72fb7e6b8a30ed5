"""Which profiles a charge point holds: replaced, cleared, lost without power."""

import pytest

from simulator.profile_store import ProfileStore
from simulator.profiles import Kind, Period, Profile, Purpose, RateUnit, Schedule


def a_profile(
    profile_id: int, purpose: Purpose = Purpose.DEFAULT, stack_level: int = 0, limit: float = 10.0
) -> Profile:
    return Profile(
        profile_id=profile_id,
        stack_level=stack_level,
        purpose=purpose,
        kind=Kind.RELATIVE,
        schedule=Schedule(unit=RateUnit.AMPS, periods=(Period(start_s=0.0, limit=limit),)),
    )


def ids(store: ProfileStore) -> list[int]:
    return sorted(one.profile.profile_id for one in store.installed)


def test_a_profile_with_the_same_id_is_replaced_wherever_it_was() -> None:
    store = ProfileStore()
    store.install(1, a_profile(5))
    store.install(2, a_profile(5, stack_level=3))
    assert [(one.connector, one.profile.stack_level) for one in store.installed] == [(2, 3)]


def test_a_profile_on_the_same_connector_purpose_and_level_is_replaced() -> None:
    store = ProfileStore()
    store.install(1, a_profile(5))
    assert store.replaces(1, a_profile(6))
    store.install(1, a_profile(6))
    assert ids(store) == [6]


@pytest.mark.parametrize(
    ("connector", "profile"),
    [(2, a_profile(6)), (1, a_profile(6, stack_level=1)), (1, a_profile(6, Purpose.TRANSACTION))],
)
def test_a_profile_elsewhere_stays(connector: int, profile: Profile) -> None:
    store = ProfileStore()
    store.install(1, a_profile(5))
    assert not store.replaces(connector, profile)
    store.install(connector, profile)
    assert ids(store) == [5, 6]


def a_full_store() -> ProfileStore:
    store = ProfileStore()
    store.install(0, a_profile(1, Purpose.STATION))
    store.install(0, a_profile(2, stack_level=0))
    store.install(1, a_profile(3, stack_level=1))
    store.install(1, a_profile(4, Purpose.TRANSACTION, stack_level=1))
    store.install(2, a_profile(5, Purpose.TRANSACTION))
    return store


@pytest.mark.parametrize(
    ("criteria", "left"),
    [
        ({"profile_id": 3}, [1, 2, 4, 5]),
        ({"connector": 1}, [1, 2, 5]),
        ({"purpose": Purpose.TRANSACTION}, [1, 2, 3]),
        ({"stack_level": 1}, [1, 2, 5]),
        ({"connector": 1, "purpose": Purpose.DEFAULT}, [1, 2, 4, 5]),
        ({}, []),
        ({"profile_id": 99}, [1, 2, 3, 4, 5]),
    ],
)
def test_all_that_meets_every_criterion_is_cleared(criteria: dict[str, object], left: list[int]) -> None:
    store = a_full_store()
    cleared = store.clear(**criteria)  # type: ignore[arg-type] # the criteria are named by the table above
    assert ids(store) == left
    assert cleared == 5 - len(left)


def test_the_end_of_a_transaction_takes_its_profiles_along() -> None:
    store = a_full_store()
    store.end_transaction(1)
    assert ids(store) == [1, 2, 3, 5]


@pytest.mark.parametrize(("survive", "left"), [(True, [1, 2, 3]), (False, [])])
def test_a_loss_of_power_takes_transactions_profiles_always_and_the_others_by_model(
    survive: bool, left: list[int]
) -> None:
    store = a_full_store()
    store.lose_power(defaults_survive=survive)
    assert ids(store) == left


def test_a_connector_sees_its_own_profiles_and_the_stations() -> None:
    stacks = a_full_store().stacks(1, transaction_began=None)
    assert [profile.profile_id for profile in stacks.station] == [1]
    assert [profile.profile_id for profile in stacks.default] == [3, 2]
    assert [profile.profile_id for profile in stacks.transaction] == [4]


def test_its_own_default_hides_the_stations_on_the_same_level() -> None:
    store = ProfileStore()
    store.install(0, a_profile(1))
    store.install(1, a_profile(2))
    assert [profile.profile_id for profile in store.stacks(1, transaction_began=None).default] == [2]
    assert [profile.profile_id for profile in store.stacks(2, transaction_began=None).default] == [1]
