"""Units in which others tell prices, emissions and power, and what they are in ours.

Ours are the site's currency per kWh, grams per kWh and watts. A price says in which currency it is by a code, a symbol
or the name of its hundredth part; a symbol that several currencies share fits each of them. What is in another currency
is refused: nobody here knows what it is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KWH_IN: Mapping[str, float] = {"wh": 0.001, "kwh": 1.0, "mwh": 1000.0}

HUNDREDTH = 0.01

LETTERS_OF_A_CODE = 3
"""Of a currency (ISO 4217)."""

SHARED_CENT = frozenset({"EUR", "USD", "AUD", "CAD", "NZD", "SGD", "HKD", "ZAR", "MYR", "BRL", "MXN"})
CROWNS = frozenset({"SEK", "NOK", "DKK", "ISK"})
DOLLARS = frozenset({"USD", "AUD", "CAD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP"})

WHOLE: Mapping[str, frozenset[str]] = {
    "€": frozenset({"EUR"}),
    "euro": frozenset({"EUR"}),
    "£": frozenset({"GBP"}),
    "$": DOLLARS,
    "kr": CROWNS,
    "kr.": CROWNS,
    "zł": frozenset({"PLN"}),
    "kč": frozenset({"CZK"}),
    "ft": frozenset({"HUF"}),
    "lei": frozenset({"RON"}),
    "fr.": frozenset({"CHF"}),
    "лв": frozenset({"BGN"}),
    "лв.": frozenset({"BGN"}),
    "¥": frozenset({"JPY", "CNY"}),
    "₺": frozenset({"TRY"}),
    "₹": frozenset({"INR"}),
}
"""Symbols of currencies, in small letters."""

PART: Mapping[str, frozenset[str]] = {
    "c": SHARED_CENT,
    "ct": SHARED_CENT,
    "cent": SHARED_CENT,
    "cents": SHARED_CENT,
    "¢": SHARED_CENT,
    "p": frozenset({"GBP"}),
    "pence": frozenset({"GBP"}),
    "öre": frozenset({"SEK"}),
    "øre": frozenset({"NOK", "DKK"}),
    "ore": CROWNS,
    "gr": frozenset({"PLN"}),
    "grosz": frozenset({"PLN"}),
    "rp": frozenset({"CHF"}),
    "rp.": frozenset({"CHF"}),
}
"""Hundredth parts of currencies, in small letters."""

GRAMS_IN: Mapping[str, float] = {"g": 1.0, "kg": 1000.0, "t": 1e6}

WATTS_IN: Mapping[str, float] = {"w": 1.0, "kw": 1000.0, "mw": 1e6}


class BadUnit(ValueError):
    """No unit of what was asked for."""


class OtherCurrency(ValueError):
    """A price in a currency that is not the site's."""


@dataclass(frozen=True, slots=True)
class PriceUnit:
    """What a price is in."""

    currencies: frozenset[str]
    """One of these."""
    factor: float
    """Makes it the whole currency per kWh."""


def price_unit(text: str) -> PriceUnit:
    """Return what a unit like "EUR/MWh", "öre/kWh" or "p/kWh" says. Raises BadUnit."""
    money, slash, energy = text.partition("/")
    kwh = KWH_IN.get(energy.strip().lower())
    if not slash or kwh is None:
        raise BadUnit(text)
    money = money.strip()
    small = money.lower()
    if small in PART:
        return PriceUnit(PART[small], HUNDREDTH / kwh)
    if small in WHOLE:
        return PriceUnit(WHOLE[small], 1.0 / kwh)
    code = money.upper()
    if len(code) == LETTERS_OF_A_CODE and code.isascii() and code.isalpha():
        return PriceUnit(frozenset({code}), 1.0 / kwh)
    raise BadUnit(text)


def to_price_per_kwh(text: str, currency: str) -> float:
    """Return the factor that makes a number in a unit the site's currency per kWh. Raises BadUnit, OtherCurrency."""
    unit = price_unit(text)
    if currency not in unit.currencies:
        raise OtherCurrency(text)
    return unit.factor


def to_grams_per_kwh(text: str) -> float:
    """Return the factor that makes a number in a unit like "gCO2eq/kWh" grams per kWh. Raises BadUnit."""
    mass, slash, energy = text.replace(" ", "").partition("/")
    kwh = KWH_IN.get(energy.lower())
    mass = mass.lower().replace("₂", "2")
    for tail in ("co2eq", "co2e", "co2", "eq"):
        mass = mass.removesuffix(tail)
    grams = GRAMS_IN.get(mass)
    if not slash or kwh is None or grams is None:
        raise BadUnit(text)
    return grams / kwh


def to_watts(text: str) -> float:
    """Return the factor that makes a number in a unit of power watts. Raises BadUnit."""
    watts = WATTS_IN.get(text.strip().lower())
    if watts is None:
        raise BadUnit(text)
    return watts
