"""Whatever is thrown at the listener, the well-behaved charge points beside it do not notice."""

import json
import os
from collections import Counter
from random import Random

import pytest

from .fuzz import throws, vocabulary
from .fuzz.assault import KNOWN, assault
from .fuzz.throws import SPOILS, Call, Fate
from .fuzz.vocabulary import VERSIONS, Version

THROWS = 1_000
"""At each version, in the usual run."""
THROWS_THROUGH_TLS = 600
LONG_THROWS = 50_000
"""The same of scripts/test --long."""
THROWS_VARIABLE = "FUZZ_THROWS"
"""Environment: other numbers of throws."""
SEED_VARIABLE = "FUZZ_SEED"
"""Environment: any text, for other throws than the usual ones."""


@pytest.mark.parametrize("version", VERSIONS, ids=str)
async def test_nobody_notices_what_is_thrown_at_the_listener(version: Version) -> None:
    throws_wanted = int(os.environ.get(THROWS_VARIABLE, THROWS))
    tally = await assault(os.environ.get(SEED_VARIABLE, "usual"), throws_wanted, [version])
    assert tally.throws.total() >= throws_wanted
    assert tally.connections >= len(KNOWN)
    assert min(tally.answered, tally.refused, tally.passed_over) > 0


async def test_nobody_notices_what_is_thrown_through_tls() -> None:
    throws_wanted = int(os.environ.get(THROWS_VARIABLE, THROWS_THROUGH_TLS))
    tally = await assault(os.environ.get(SEED_VARIABLE, "tls"), throws_wanted, VERSIONS, over_tls=True)
    assert tally.throws.total() >= throws_wanted
    assert min(tally.answered, tally.refused, tally.knocks) > 0


@pytest.mark.long
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("over_tls", [False, True], ids=["plain", "tls"])
async def test_nobody_notices_in_the_long_run_either(*, over_tls: bool) -> None:
    throws_wanted = int(os.environ.get(THROWS_VARIABLE, LONG_THROWS))
    tally = await assault(os.environ.get(SEED_VARIABLE, "long"), throws_wanted, VERSIONS, over_tls=over_tls)
    assert set(tally.throws) == {each.how for each in _one_of_each(VERSIONS[0])}


def _one_of_each(version: Version) -> list[throws.Throw]:
    rng = Random(1)
    calls = (
        Call(message_id=f"f{n}", action="Heartbeat", payload=vocabulary.request(rng, version, "Heartbeat"))
        for n in range(len(SPOILS))
    )
    return [spoil(rng, version, call) for spoil, call in zip(SPOILS, calls, strict=True)]


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_what_is_not_spoilt_fulfils_its_schema(version: Version) -> None:
    rng = Random(7)
    for action in vocabulary.actions(version):
        for _ in range(5):
            payload = vocabulary.request(rng, version, action)
            assert vocabulary.fault_of(version, f"{action}{version.request}", payload) is None


def test_the_same_seed_throws_the_same() -> None:
    thrown = [
        [throws.throw(rng, VERSIONS[0], n).raw for n in range(50)] for rng in (Random("a"), Random("a"), Random("b"))
    ]
    assert thrown[0] == thrown[1] != thrown[2]


def test_every_fate_is_met_often_enough() -> None:
    rng = Random(3)
    fates = Counter(throws.throw(rng, VERSIONS[0], number).fate for number in range(500))
    assert set(fates) == set(Fate)
    assert fates[Fate.ANSWERED] > 200


def test_a_payload_that_was_spoilt_is_another() -> None:
    rng = Random(5)
    payload = vocabulary.request(rng, VERSIONS[0], "MeterValues")
    before = json.dumps(payload)
    throws.spoil_payload(rng, payload)
    assert json.dumps(payload) != before
