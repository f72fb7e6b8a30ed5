"""Who may charge, as a charge point is told it: in the words of its version, for what the token was shown."""

import asyncio

import pytest

from custom_components.charge_cluster.ocpp.protocols import AuthorisationStatus, Purpose
from custom_components.charge_cluster.ocpp.tokens import TokenType, same_type, token_type

from .stage import Stage, virtually


@virtually
async def test_an_unknown_token_is_invalid_in_the_words_of_1_6(stage: Stage) -> None:
    stage.tags.answers["NOBODY"] = AuthorisationStatus.UNKNOWN
    point = await stage.booted()
    assert (await point.tell("Authorize", {"idTag": "NOBODY"}))[2] == {"idTagInfo": {"status": "Invalid"}}


@virtually
async def test_it_is_said_what_a_token_was_shown_for(stage: Stage) -> None:
    point = await stage.booted()
    await point.tell("Authorize", {"idTag": "A"})
    transaction = await point.start(tag="B")
    await point.stop(transaction, idTag="C")
    assert stage.tags.asked == [("A", Purpose.ASK), ("B", Purpose.START), ("C", Purpose.STOP)]


@virtually
async def test_a_start_from_before_is_told_with_its_age(stage: Stage) -> None:
    point = await stage.booted()
    await point.tell("StartTransaction", point.start_payload(ago_s=3600))
    assert stage.tags.ages == [pytest.approx(3600, abs=5)]


@virtually
async def test_a_refused_start_that_goes_on_is_stopped(stage: Stage) -> None:
    stage.tags.answers["BAD"] = AuthorisationStatus.CONCURRENT_TX
    point = await stage.booted()
    transaction = await point.start(tag="BAD")
    await asyncio.sleep(5)
    assert point.calls("RemoteStopTransaction") == []
    assert await point.was_asked("RemoteStopTransaction") == {"transactionId": transaction}


@virtually
async def test_a_refused_start_that_the_charger_ends_is_not_asked_to_stop(stage: Stage) -> None:
    stage.tags.answers["BAD"] = AuthorisationStatus.BLOCKED
    point = await stage.booted()
    await point.stop(await point.start(tag="BAD"), reason="DeAuthorized")
    await asyncio.sleep(60)
    assert point.calls("RemoteStopTransaction") == []


@virtually
async def test_an_accepted_start_is_not_asked_to_stop(stage: Stage) -> None:
    point = await stage.booted()
    await point.start()
    await asyncio.sleep(60)
    assert point.calls("RemoteStopTransaction") == []


@pytest.mark.parametrize(
    ("one", "other", "may_be"),
    [
        (None, TokenType.KEY_CODE, True),
        (TokenType.ISO14443, None, True),
        (TokenType.ISO14443, TokenType.CENTRAL, True),
        (TokenType.KEY_CODE, TokenType.KEY_CODE, True),
        (TokenType.KEY_CODE, TokenType.ISO14443, False),
        (TokenType.EMAID, TokenType.MAC_ADDRESS, False),
    ],
)
def test_a_code_is_no_card_and_cards_are_cards(one: TokenType | None, other: TokenType | None, may_be: bool) -> None:
    assert same_type(one, other) is may_be
    assert same_type(other, one) is may_be


@pytest.mark.parametrize(
    ("word", "kind"),
    [("emaid", TokenType.EMAID), ("ISO15693", TokenType.ISO15693), ("Nonsense", None), (None, None), (7, None)],
)
def test_types_are_read_however_they_are_written(word: object, kind: TokenType | None) -> None:
    assert token_type(word) is kind
