"""What charge points decide while they cannot ask us, by the rule of their place."""

from dataclasses import replace

import pytest

from custom_components.charge_cluster.ledger.drivers import DriverRecord
from custom_components.charge_cluster.site.settings import AuthorisationMode, Unanswered
from custom_components.charge_cluster.site.token_policy import (
    EPOCH_S,
    ListNumber,
    TokenPolicies,
    listed,
    offline_rule,
)

NOW = EPOCH_S + 5_000_000.0
ANN = DriverRecord(id_tag="ANN", name="Ann", group="OFFICE", expires_at=NOW + 60.0)
MALLORY = DriverRecord(id_tag="MALLORY", name="Mallory", enabled=False)
GONE = DriverRecord(id_tag="GONE", name="Gone", expires_at=NOW - 1.0)
DRIVERS = (ANN, GONE, MALLORY)
REFUSE, KNOWN, ACCEPT = Unanswered.REFUSE, Unanswered.KNOWN, Unanswered.ACCEPT


@pytest.mark.parametrize(
    ("mode", "unanswered", "accepted", "blocked", "everybody"),
    [
        (AuthorisationMode.FREE, REFUSE, set(), {"GONE", "MALLORY"}, True),
        (AuthorisationMode.EVERYBODY, REFUSE, set(), {"GONE", "MALLORY"}, True),
        (AuthorisationMode.KNOWN, REFUSE, {"ANN"}, set(), False),
        (AuthorisationMode.KNOWN, ACCEPT, {"ANN"}, set(), False),
        (AuthorisationMode.KNOWN_OR_ASK, REFUSE, {"ANN"}, set(), False),
        (AuthorisationMode.KNOWN_OR_ASK, ACCEPT, set(), {"GONE", "MALLORY"}, True),
        (AuthorisationMode.ASK, REFUSE, set(), set(), False),
        (AuthorisationMode.ASK, KNOWN, {"ANN"}, set(), False),
        (AuthorisationMode.ASK, ACCEPT, set(), {"GONE", "MALLORY"}, True),
    ],
)
def test_who_charges_at_a_charge_point_that_is_offline(
    mode: AuthorisationMode, unanswered: Unanswered, accepted: set[str], blocked: set[str], everybody: bool
) -> None:
    rule = offline_rule(mode, unanswered)
    tokens = listed(rule, DRIVERS, NOW)
    assert {token.id_tag for token in tokens if token.accepted} == accepted
    assert {token.id_tag for token in tokens if not token.accepted} == blocked
    assert rule.everybody is everybody


def test_a_list_keeps_its_number_until_it_is_another_one() -> None:
    numbers: dict[str, ListNumber] = {}
    first, _ = TokenPolicies(numbers).policy(AuthorisationMode.KNOWN, REFUSE, DRIVERS, NOW)
    policies = TokenPolicies(dict(numbers))
    restarted, _ = policies.policy(AuthorisationMode.KNOWN, REFUSE, DRIVERS, NOW + 30.0)
    same, _ = policies.policy(AuthorisationMode.KNOWN, REFUSE, DRIVERS, NOW + 30.0)
    free, _ = policies.policy(AuthorisationMode.FREE, REFUSE, DRIVERS, NOW + 30.0)
    changed, _ = policies.policy(AuthorisationMode.KNOWN, REFUSE, (replace(ANN, group=None),), NOW)
    assert restarted.version == first.version == 5_000_000
    assert same is restarted
    assert free.version > restarted.version
    assert changed.version >= free.version + 1000
