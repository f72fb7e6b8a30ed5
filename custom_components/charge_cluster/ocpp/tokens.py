"""Tokens: what a driver shows to a charge point, in words that belong to no version of OCPP.

OCPP 1.6 knows an idTag and does not say what it is. From 2.0.1 on there is a type beside it. Either is compared
without regard to case. A type that is not told fits every type; the kinds of cards fit each other, because one charge
point calls Central what another calls ISO14443. A code that somebody types in is never taken for a card.
"""

from __future__ import annotations

from enum import StrEnum

LONGEST_TOKEN = 255
"""Characters of a token in OCPP 2.1; 36 in 2.0.1, 20 in 1.6."""


class TokenType(StrEnum):
    """What a token is, in the words of OCPP 2.1."""

    CENTRAL = "Central"
    DIRECT_PAYMENT = "DirectPayment"
    EMAID = "eMAID"
    EVCCID = "EVCCID"
    ISO14443 = "ISO14443"
    ISO15693 = "ISO15693"
    KEY_CODE = "KeyCode"
    LOCAL = "Local"
    MAC_ADDRESS = "MacAddress"
    NO_AUTHORISATION = "NoAuthorization"
    """Nothing was shown: charging began without."""
    VIN = "VIN"


CARDS = frozenset({TokenType.CENTRAL, TokenType.ISO14443, TokenType.ISO15693, TokenType.LOCAL})
"""The types that different charge points give to one and the same card."""


def folded(token: str) -> str:
    """Return a token as it is compared."""
    return token.upper()


def token_type(word: object) -> TokenType | None:
    """Return the type that a word names; None: none that we know."""
    if not isinstance(word, str):
        return None
    return _BY_WORD.get(word.casefold())


def same_type(one: TokenType | None, other: TokenType | None) -> bool:
    """Return whether two tokens of equal text may be the same."""
    return one is None or other is None or one is other or (one in CARDS and other in CARDS)


_BY_WORD = {kind.casefold(): kind for kind in TokenType}
