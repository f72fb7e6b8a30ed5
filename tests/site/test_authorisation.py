"""Who may charge: the rules, and what holds under all of them."""

from dataclasses import dataclass

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.ocpp.protocols import AuthorisationStatus, Purpose
from custom_components.charge_cluster.ocpp.tokens import TokenType, same_type
from custom_components.charge_cluster.site.authorisation import (
    PASSED_S,
    Elsewhere,
    Presented,
    Ruling,
    masked,
    rule,
)
from custom_components.charge_cluster.site.settings import (
    AuthorisationMode,
    AuthorisationSettings,
    Concurrency,
    Unanswered,
)

NOW = 1_000_000.0
ACCEPTED = AuthorisationStatus.ACCEPTED
ASKING = (AuthorisationMode.KNOWN_OR_ASK, AuthorisationMode.ASK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token."""

    enabled: bool = True
    expires_at: float | None = None
    kind: TokenType | None = None
    group: str | None = None
    at_once: int | None = None


def ruled(
    mode: AuthorisationMode,
    known: Token | None,
    unanswered: Unanswered,
    presented: Presented,
    concurrency: Concurrency = Concurrency.ANY,
) -> Ruling:
    settings = AuthorisationSettings(unanswered=unanswered, concurrency=concurrency)
    return rule(mode, settings, known, presented, now=NOW)


KINDS = st.none() | st.sampled_from(TokenType)
TOKENS = st.builds(
    Token,
    enabled=st.booleans(),
    expires_at=st.none() | st.floats(0.0, 2 * NOW),
    kind=KINDS,
    group=st.none() | st.just("VANS"),
    at_once=st.none() | st.integers(1, 3),
)
SHOWN = st.builds(
    Presented,
    kind=KINDS,
    purpose=st.sampled_from(Purpose),
    age_s=st.sampled_from((0.0, PASSED_S, PASSED_S + 1.0)),
    elsewhere=st.builds(
        lambda token, others: Elsewhere(token=token, group=token + others), st.integers(0, 3), st.integers(0, 3)
    ),
    runs_here=st.booleans(),
)
MODES, UNANSWERED = st.sampled_from(AuthorisationMode), st.sampled_from(Unanswered)


@given(mode=MODES, known=TOKENS, unanswered=UNANSWERED, presented=SHOWN)
def test_who_is_blocked_or_has_run_out_never_charges_and_nobody_is_asked(
    mode: AuthorisationMode, known: Token, unanswered: Unanswered, presented: Presented
) -> None:
    ruling = ruled(mode, known, unanswered, presented)
    run_out = known.expires_at is not None and known.expires_at <= NOW
    if same_type(known.kind, presented.kind) and (run_out or not known.enabled):
        assert ruling.status in {AuthorisationStatus.BLOCKED, AuthorisationStatus.EXPIRED}
        assert not ruling.asks


@given(known=st.none() | TOKENS, unanswered=UNANSWERED, presented=SHOWN)
def test_where_drivers_must_be_known_nobody_else_charges(
    known: Token | None, unanswered: Unanswered, presented: Presented
) -> None:
    ruling = ruled(AuthorisationMode.KNOWN, known, unanswered, presented)
    assert not ruling.asks
    if known is None or not same_type(known.kind, presented.kind):
        assert ruling.status is not ACCEPTED


@given(mode=st.sampled_from(ASKING), known=st.none() | TOKENS, presented=SHOWN)
def test_who_is_not_known_starts_nothing_that_home_assistant_did_not_accept(
    mode: AuthorisationMode, known: Token | None, presented: Presented
) -> None:
    ruling = ruled(mode, known, Unanswered.REFUSE, presented)
    is_known = known is not None and same_type(known.kind, presented.kind)
    if presented.purpose is Purpose.START and not (is_known and mode is AuthorisationMode.KNOWN_OR_ASK):
        assert ruling.status is not ACCEPTED


@given(mode=MODES, known=st.none() | TOKENS, unanswered=UNANSWERED, presented=SHOWN)
def test_nobody_is_asked_about_what_is_over(
    mode: AuthorisationMode, known: Token | None, unanswered: Unanswered, presented: Presented
) -> None:
    ruling = ruled(mode, known, unanswered, presented)
    if mode not in ASKING or presented.purpose is Purpose.STOP or presented.age_s > PASSED_S:
        assert not ruling.asks


BY_NAME = st.sampled_from((AuthorisationMode.KNOWN, *ASKING))


@given(
    mode=BY_NAME,
    known=st.none() | TOKENS,
    unanswered=UNANSWERED,
    presented=SHOWN,
    concurrency=st.sampled_from(Concurrency),
)
def test_no_token_charges_at_more_places_than_it_may(
    mode: AuthorisationMode,
    known: Token | None,
    unanswered: Unanswered,
    presented: Presented,
    concurrency: Concurrency,
) -> None:
    ruling = ruled(mode, known, unanswered, presented, concurrency)
    if known is not None and not same_type(known.kind, presented.kind):
        known = None
    said = None if known is None else known.at_once
    may = said if said is not None or concurrency is Concurrency.ANY else 1
    if presented.purpose is Purpose.START and may is not None and presented.elsewhere.token >= may:
        assert ruling.status is not ACCEPTED
        assert not ruling.asks


@given(mode=MODES, known=st.none() | TOKENS, unanswered=UNANSWERED, presented=SHOWN)
def test_where_nothing_is_said_no_token_is_too_many(
    mode: AuthorisationMode, known: Token | None, unanswered: Unanswered, presented: Presented
) -> None:
    if known is None or known.at_once is None:
        assert ruled(mode, known, unanswered, presented).status is not AuthorisationStatus.CONCURRENT_TX


@given(
    mode=MODES,
    known=st.none() | TOKENS,
    unanswered=UNANSWERED,
    presented=SHOWN,
    concurrency=st.sampled_from(Concurrency),
)
def test_whoever_only_asks_or_stops_is_not_told_that_it_charges_elsewhere(
    mode: AuthorisationMode,
    known: Token | None,
    unanswered: Unanswered,
    presented: Presented,
    concurrency: Concurrency,
) -> None:
    ruling = ruled(mode, known, unanswered, presented, concurrency)
    if presented.purpose is not Purpose.START:
        assert ruling.status is not AuthorisationStatus.CONCURRENT_TX


@pytest.mark.parametrize(
    ("concurrency", "known", "elsewhere", "accepted"),
    [
        (Concurrency.ANY, Token(group="VANS"), Elsewhere(token=5, group=9), True),
        (Concurrency.ANY, Token(group="VANS", at_once=1), Elsewhere(token=1, group=1), False),
        (Concurrency.ANY, Token(group="VANS", at_once=1), Elsewhere(group=3), True),
        (Concurrency.CARD, Token(group="VANS"), Elsewhere(token=1, group=1), False),
        (Concurrency.CARD, Token(group="VANS"), Elsewhere(group=3), True),
        (Concurrency.CARD, Token(at_once=2), Elsewhere(token=1), True),
        (Concurrency.GROUP, Token(group="VANS"), Elsewhere(group=1), False),
        (Concurrency.GROUP, Token(group="VANS", at_once=3), Elsewhere(group=2), True),
        (Concurrency.GROUP, Token(group="VANS", at_once=3), Elsewhere(group=3), False),
        (Concurrency.GROUP, Token(), Elsewhere(token=1), False),
        (Concurrency.GROUP, Token(), Elsewhere(), True),
    ],
)
def test_at_how_many_places_a_token_or_its_group_may_charge(
    concurrency: Concurrency, known: Token, elsewhere: Elsewhere, accepted: bool
) -> None:
    presented = Presented(purpose=Purpose.START, elsewhere=elsewhere)
    ruling = ruled(AuthorisationMode.KNOWN, known, Unanswered.REFUSE, presented, concurrency)
    assert ruling.status is (ACCEPTED if accepted else AuthorisationStatus.CONCURRENT_TX)
    assert ruling.group == known.group


@given(mode=MODES, known=st.none() | TOKENS, unanswered=UNANSWERED, presented=SHOWN)
def test_nothing_shown_is_free_charging_or_none(
    mode: AuthorisationMode, known: Token | None, unanswered: Unanswered, presented: Presented
) -> None:
    ruling = ruled(mode, known, unanswered, presented)
    if presented.kind is TokenType.NO_AUTHORISATION and mode is not AuthorisationMode.FREE:
        assert ruling.status is not ACCEPTED
        assert not ruling.asks


@pytest.mark.parametrize(
    ("mode", "known", "status", "asks"),
    [
        (AuthorisationMode.FREE, None, ACCEPTED, False),
        (AuthorisationMode.EVERYBODY, None, ACCEPTED, False),
        (AuthorisationMode.KNOWN, None, AuthorisationStatus.UNKNOWN, False),
        (AuthorisationMode.KNOWN, Token(), ACCEPTED, False),
        (AuthorisationMode.KNOWN_OR_ASK, None, AuthorisationStatus.INVALID, True),
        (AuthorisationMode.KNOWN_OR_ASK, Token(), ACCEPTED, False),
        (AuthorisationMode.ASK, None, AuthorisationStatus.INVALID, True),
        (AuthorisationMode.ASK, Token(), AuthorisationStatus.INVALID, True),
        (AuthorisationMode.KNOWN, Token(kind=TokenType.KEY_CODE), AuthorisationStatus.UNKNOWN, False),
    ],
)
def test_each_rule(mode: AuthorisationMode, known: Token | None, status: AuthorisationStatus, asks: bool) -> None:
    ruling = ruled(mode, known, Unanswered.REFUSE, Presented(kind=TokenType.ISO14443))
    assert (ruling.status, ruling.asks) == (status, asks)


@pytest.mark.parametrize(
    ("unanswered", "known", "status"),
    [
        (Unanswered.REFUSE, Token(), AuthorisationStatus.INVALID),
        (Unanswered.KNOWN, Token(), ACCEPTED),
        (Unanswered.KNOWN, None, AuthorisationStatus.INVALID),
        (Unanswered.ACCEPT, None, ACCEPTED),
    ],
)
def test_what_counts_without_an_answer(
    unanswered: Unanswered, known: Token | None, status: AuthorisationStatus
) -> None:
    assert ruled(AuthorisationMode.ASK, known, unanswered, Presented()).status is status


def test_who_comes_to_stop_is_not_asked_about() -> None:
    ruling = ruled(AuthorisationMode.ASK, None, Unanswered.REFUSE, Presented(runs_here=True))
    assert (ruling.status, ruling.asks) == (ACCEPTED, False)


def test_group_and_end_are_told_with_every_answer() -> None:
    known = Token(group="VANS", expires_at=NOW + 60.0)
    ruling = ruled(AuthorisationMode.KNOWN, known, Unanswered.REFUSE, Presented())
    assert (ruling.group, ruling.expires_at) == ("VANS", NOW + 60.0)


@given(st.text(min_size=1, max_size=255))
def test_hardly_anything_of_a_token_is_shown(token: str) -> None:
    shown = masked(token)
    assert len(shown) <= 3
    assert len(shown) == 1 or token.endswith(shown[1:])
    assert len(token) >= 6 or shown == "…"
