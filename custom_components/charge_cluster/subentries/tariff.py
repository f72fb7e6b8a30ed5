"""Adding and changing a tariff: out of a ready template, by bands, or read from what Home Assistant has already.

A template asks for no more than its prices and becomes bands like any others, to be changed in their editor. What reads
entities is tried before it is stored: a price in another currency, or an entity that tells no forecast, is no tariff.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import SOURCE_USER, ConfigSubentry, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    ObjectSelector,
    ObjectSelectorConfig,
    TextSelector,
    TimeSelector,
)

from ..const import Key, SubentryType, TariffKind
from ..engine.bands import EVERY_DAY, WEEKEND, WORKDAYS, Day
from ..engine.tariff import TariffFault
from ..stored_tariffs import DAYS, DEFAULT_VALUE_PER_KG, DEFAULT_WEIGHT, bands_of, days_called, tariff_source
from ..tariffs import FaultKey
from ..tariffs.entity import tried
from ..tariffs.settings import EmissionsTariff, FeedInTariff, ForecastTariff, ForecastWanted, SolarForecast
from ..tariffs.units import BadUnit, price_unit
from ..words import COMMON, words_of
from . import FormFaults, advanced, folded, name_taken, pick, unfolded

MOST_PRICE = 1_000_000.0
MIDNIGHT = "00:00:00"
MONTHS = tuple(str(month) for month in range(1, 13))

PASSING = frozenset({FaultKey.ENTITY_UNAVAILABLE, FaultKey.ACTION_FAILED})
"""What may be so only now; it keeps nothing from being stored, and is a repair while it lasts."""

BAND_FIELDS = (Key.BANDS, Key.PRICE, Key.OFF_PEAK, Key.HOLIDAYS)
READING_FIELDS = (Key.ENTITIES, Key.PRICE_UNIT, Key.FACTOR, Key.PLUS)

PRICES_NEEDED: Mapping[str, tuple[Key, ...]] = {
    "flat": (Key.PRICE,),
    "economy_7": (Key.PRICE, Key.CHEAP_PRICE),
    "two_band_business": (Key.PRICE, Key.CHEAP_PRICE),
    "uk_peaks": (Key.PRICE, Key.CHEAP_PRICE),
    TariffKind.DEMAND_CHARGE.value: (Key.PRICE,),
}
"""By form. A browser fills a required number with the least that is possible before anybody has entered one, and nobody
pays a million less than nothing: so they may be left out, and whoever does is told."""

type Fields = dict[vol.Marker, Any]
type Words = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoRates:
    """A template of a day's price and a cheaper one at night."""

    begins: str
    ends: str


TEMPLATES: Mapping[str, TwoRates] = {
    "economy_7": TwoRates(begins="00:30:00", ends="07:30:00"),
    "two_band_business": TwoRates(begins="00:00:00", ends="07:00:00"),
}
"""At their commonest hours, which can be changed in the form."""

UK_PEAKS = (("morning_peak", 8, 11), ("evening_peak", 16, 22))
"""The hours that UK SI 2021/1467 has charge points avoid by default, on workdays."""

MENU = [
    "flat",
    "economy_7",
    "two_band_business",
    "uk_peaks",
    TariffKind.BANDS.value,
    TariffKind.PRICES.value,
    TariffKind.CHEAP_TIMES.value,
    TariffKind.CO2.value,
    TariffKind.FEED_IN.value,
    TariffKind.DEMAND_CHARGE.value,
    TariffKind.SOLAR.value,
]


class TariffFlow(ConfigSubentryFlow):
    """Adds or changes a tariff."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what kind of tariff it is."""
        del user_input
        return self.async_show_menu(step_id="user", menu_options=MENU)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for what is to change; the kind stays, and what came of a template is bands."""
        return await self._ask(self._get_reconfigure_subentry().data[Key.KIND], user_input)

    # Ready templates ---------------------------------------------------------------------------------------------

    async def async_step_flat(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for one price."""
        return await self._ask("flat", user_input)

    async def async_step_economy_7(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for a day's and a night's price, at the hours of Economy 7."""
        return await self._ask("economy_7", user_input)

    async def async_step_two_band_business(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for a day's and a night's price, at the hours of businesses."""
        return await self._ask("two_band_business", user_input)

    async def async_step_uk_peaks(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for the prices in and out of the peaks that UK rules name."""
        return await self._ask("uk_peaks", user_input)

    # Everything else ---------------------------------------------------------------------------------------------

    async def async_step_bands(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for bands."""
        return await self._ask(TariffKind.BANDS, user_input)

    async def async_step_prices(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask which entities tell prices."""
        return await self._ask(TariffKind.PRICES, user_input)

    async def async_step_cheap_times(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what says when it is cheap."""
        return await self._ask(TariffKind.CHEAP_TIMES, user_input)

    async def async_step_co2(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what tells emissions, and how much they count."""
        return await self._ask(TariffKind.CO2, user_input)

    async def async_step_feed_in(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what is paid for what is fed in."""
        return await self._ask(TariffKind.FEED_IN, user_input)

    async def async_step_demand_charge(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what the highest demand of a month costs."""
        return await self._ask(TariffKind.DEMAND_CHARGE, user_input)

    async def async_step_solar(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what tells the expected yield of own generation."""
        return await self._ask(TariffKind.SOLAR, user_input)

    # ---------------------------------------------------------------------------------------------------------------

    async def _ask(self, step: str, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        subentry = None if self.source == SOURCE_USER else self._get_reconfigure_subentry()
        faults = FormFaults()
        fields: dict[str, Any] = {} if subentry is None else {Key.NAME: subentry.title, **subentry.data}
        if user_input is not None:
            fields = unfolded(user_input)
            title = str(fields[Key.NAME]).strip()
            self._check_name(title, subentry, faults)
            stored = await self._what_is_stored(step, fields, faults)
            if stored is not None and subentry is None:
                return self.async_create_entry(title=title, data=stored)
            if stored is not None and subentry is not None:
                return self.async_update_and_abort(self._get_entry(), subentry, title=title, data=stored)
        schema = vol.Schema({vol.Required(Key.NAME): TextSelector(), **_fields(step, self.hass.config.currency)})
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(schema, folded(fields)),
            errors=faults.errors,
            description_placeholders={"currency": self.hass.config.currency, **faults.placeholders},
        )

    async def _what_is_stored(self, step: str, fields: Mapping[str, Any], faults: FormFaults) -> dict[str, Any] | None:
        """Return what is to be stored of a form; None: something is wrong with it, which is added to the faults."""
        _check_prices(step, fields, faults)
        if faults:
            return None
        stored = _stored(step, fields, await words_of(self.hass, COMMON))
        await _check(self.hass, stored, faults)
        return None if faults else stored

    def _check_name(self, title: str, subentry: ConfigSubentry | None, faults: FormFaults) -> None:
        if not title:
            faults.add("name_missing", field=Key.NAME)
        elif name_taken(self._get_entry(), SubentryType.TARIFF, title, by_other_than=subentry):
            faults.add("name_taken", field=Key.NAME)


# Forms ------------------------------------------------------------------------------------------------------


def _fields(step: str, currency: str) -> Fields:
    """Return the fields of a form but its name."""
    price = _price(f"{currency}/kWh")
    match step:
        case "flat":
            return {vol.Optional(Key.PRICE): price}
        case "economy_7" | "two_band_business":
            template = TEMPLATES[step]
            return {
                vol.Optional(Key.PRICE): price,
                vol.Optional(Key.CHEAP_PRICE): price,
                vol.Required(Key.BEGINS, default=template.begins): TimeSelector(),
                vol.Required(Key.ENDS, default=template.ends): TimeSelector(),
                vol.Required(Key.WEEKENDS, default=False): BooleanSelector(),
            }
        case "uk_peaks":
            return {vol.Optional(Key.PRICE): price, vol.Optional(Key.CHEAP_PRICE): price}
        case TariffKind.BANDS:
            return _band_fields(currency)
        case TariffKind.PRICES:
            return {
                vol.Required(Key.ENTITIES): _entities("sensor", "event"),
                vol.Optional(Key.PRICE_UNIT): TextSelector(),
                vol.Optional(Key.FACTOR): _factor(),
                vol.Optional(Key.PLUS): price,
                vol.Optional(Key.OFF_PEAK_BELOW): price,
                vol.Required(Key.ADVANCED): advanced(_band_fields(currency)),
            }
        case TariffKind.CHEAP_TIMES:
            return {
                vol.Required(Key.ENTITY): EntitySelector(
                    EntitySelectorConfig(domain=["calendar", "schedule", "binary_sensor", "input_boolean", "switch"])
                ),
                vol.Optional(Key.CHEAP_PRICE): price,
                vol.Optional(Key.PRICE): price,
            }
        case TariffKind.CO2:
            return {
                vol.Required(Key.ENTITIES): _entities("sensor", "event"),
                vol.Required(Key.WEIGHT, default=DEFAULT_WEIGHT): NumberSelector(
                    NumberSelectorConfig(
                        min=0, max=100, step=5, mode=NumberSelectorMode.SLIDER, unit_of_measurement="%"
                    )
                ),
                vol.Required(Key.ADVANCED): advanced(
                    {vol.Required(Key.VALUE_PER_KG, default=DEFAULT_VALUE_PER_KG): _price(f"{currency}/kg", least=0)}
                ),
            }
        case TariffKind.FEED_IN:
            return {
                vol.Optional(Key.PRICE): price,
                vol.Optional(Key.ENTITIES): _entities("sensor", "event"),
                vol.Required(Key.ADVANCED): advanced(
                    {
                        vol.Optional(Key.FACTOR): _factor(),
                        vol.Optional(Key.PLUS): price,
                        vol.Optional(Key.PRICE_UNIT): TextSelector(),
                    }
                ),
            }
        case TariffKind.DEMAND_CHARGE:
            return {vol.Optional(Key.PRICE): _price(f"{currency}/kW", least=0)}
        case _:
            return {vol.Required(Key.ENTITIES): _entities("sensor")}


def _band_fields(currency: str) -> Fields:
    return {
        vol.Optional(Key.BANDS): _bands(currency),
        vol.Optional(Key.PRICE): _price(f"{currency}/kWh"),
        vol.Optional(Key.OFF_PEAK, default=False): BooleanSelector(),
        vol.Optional(Key.HOLIDAYS): EntitySelector(EntitySelectorConfig(domain="calendar")),
    }


def _bands(currency: str) -> ObjectSelector:
    """Return the editor of a list of bands."""
    month = {"select": {"options": list(MONTHS), "translation_key": "month", "mode": "dropdown"}}
    return ObjectSelector(
        ObjectSelectorConfig(
            multiple=True,
            translation_key="band",
            label_field="name",
            description_field="begins",
            fields={
                Key.NAME.value: {"required": True, "selector": {"text": {}}},
                Key.BEGINS.value: {"required": True, "selector": {"time": {}}},
                Key.ENDS.value: {"required": True, "selector": {"time": {}}},
                # Required, it would begin with the least that is possible: see `PRICES_NEEDED`.
                Key.PRICE.value: {
                    "selector": {
                        "number": {
                            "min": -MOST_PRICE,
                            "max": MOST_PRICE,
                            "step": "any",
                            "mode": "box",
                            "unit_of_measurement": f"{currency}/kWh",
                        }
                    },
                },
                Key.OFF_PEAK.value: {"selector": {"boolean": {}}},
                Key.DAYS.value: {
                    "selector": {"select": {"options": list(DAYS), "translation_key": "day", "multiple": True}}
                },
                Key.FROM_MONTH.value: {"selector": month},
                Key.TO_MONTH.value: {"selector": month},
            },
        )
    )


def _price(unit: str, *, least: float = -MOST_PRICE) -> NumberSelector:
    return NumberSelector(
        NumberSelectorConfig(
            min=least, max=MOST_PRICE, step="any", mode=NumberSelectorMode.BOX, unit_of_measurement=unit
        )
    )


def _factor() -> NumberSelector:
    return NumberSelector(NumberSelectorConfig(min=0.0, max=100.0, step="any", mode=NumberSelectorMode.BOX))


def _entities(*domains: str) -> EntitySelector:
    return EntitySelector(EntitySelectorConfig(domain=list(domains), multiple=True))


# What is stored ---------------------------------------------------------------------------------------------


def _stored(step: str, fields: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """Return what is stored of a form."""
    match step:
        case "flat":
            return {Key.KIND.value: TariffKind.BANDS.value, **pick(fields, (Key.PRICE,))}
        case "economy_7" | "two_band_business":
            return _two_rates(fields, words)
        case "uk_peaks":
            return _uk_peaks(fields, words)
        case TariffKind.BANDS:
            return {Key.KIND.value: step, **pick(fields, BAND_FIELDS)}
        case TariffKind.PRICES:
            return {Key.KIND.value: step, **pick(fields, (*READING_FIELDS, Key.OFF_PEAK_BELOW, *BAND_FIELDS))}
        case TariffKind.CHEAP_TIMES:
            return {Key.KIND.value: step, **pick(fields, (Key.ENTITY, Key.CHEAP_PRICE, Key.PRICE))}
        case TariffKind.CO2:
            return {Key.KIND.value: step, **pick(fields, (Key.ENTITIES, Key.WEIGHT, Key.VALUE_PER_KG))}
        case TariffKind.FEED_IN:
            return {Key.KIND.value: step, **pick(fields, (*READING_FIELDS, Key.PRICE))}
        case _:
            return {Key.KIND.value: str(step), **pick(fields, (Key.ENTITIES, Key.PRICE))}


def _two_rates(fields: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """Return a day's price and a night's; where weekends are cheap all day, the night is what is left of workdays."""
    begins, ends, price, night = fields[Key.BEGINS], fields[Key.ENDS], fields[Key.CHEAP_PRICE], words["band_night"]
    if not fields.get(Key.WEEKENDS) or begins == ends:
        bands = [_a_band(night, begins, ends, price, EVERY_DAY)]
    else:
        bands = [_a_band(words["band_weekend"], MIDNIGHT, MIDNIGHT, price, WEEKEND)]
        # A night is cut at midnight, so that it ends where the weekend begins and begins where that ends.
        evening, morning = (begins, MIDNIGHT), (MIDNIGHT, ends)
        over_midnight = ends <= begins
        for begins_at, ends_at in (evening, morning) if over_midnight else ((begins, ends),):
            if (begins_at, ends_at) != (MIDNIGHT, MIDNIGHT):
                bands.append(_a_band(night, begins_at, ends_at, price, WORKDAYS))
    return {Key.KIND.value: TariffKind.BANDS.value, Key.BANDS.value: bands, Key.PRICE.value: fields[Key.PRICE]}


def _uk_peaks(fields: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """Return the peaks of workdays; all other times are off-peak."""
    bands = [
        _a_band(words[f"band_{name}"], f"{begins:02}:00:00", f"{ends:02}:00:00", fields[Key.PRICE], WORKDAYS, peak=True)
        for name, begins, ends in UK_PEAKS
    ]
    return {
        Key.KIND.value: TariffKind.BANDS.value,
        Key.BANDS.value: bands,
        Key.PRICE.value: fields[Key.CHEAP_PRICE],
        Key.OFF_PEAK.value: True,
    }


def _a_band(
    name: str, begins: str, ends: str, price: float, days: frozenset[Day], *, peak: bool = False
) -> dict[str, Any]:
    return {
        Key.NAME.value: name,
        Key.BEGINS.value: begins,
        Key.ENDS.value: ends,
        Key.PRICE.value: price,
        Key.OFF_PEAK.value: not peak,
        Key.DAYS.value: days_called(days),
    }


# What keeps it from being stored ----------------------------------------------------------------------------


def _check_prices(step: str, fields: Mapping[str, Any], faults: FormFaults) -> None:
    """Add which prices are missing."""
    for key in PRICES_NEEDED.get(step, ()):
        if fields.get(key) is None:
            faults.add("price_missing", field=key)
    for band in fields.get(Key.BANDS, ()):
        if band.get(Key.PRICE) is None:
            field = Key.BANDS if step == TariffKind.BANDS else "base"
            faults.add("band_price_missing", field=field, band=str(band[Key.NAME]))


async def _check(hass: HomeAssistant, stored: Mapping[str, Any], faults: FormFaults) -> None:
    """Add what is wrong with what would be stored."""
    kind = TariffKind(stored[Key.KIND])
    if Key.BANDS in stored or Key.PRICE in stored or kind is TariffKind.BANDS:
        await _check_bands(hass, kind, stored, faults)
    if kind is TariffKind.CHEAP_TIMES and (Key.PRICE in stored) != (Key.CHEAP_PRICE in stored):
        faults.add("both_prices", field=Key.PRICE)
    if kind is TariffKind.FEED_IN and (Key.PRICE in stored) == bool(stored.get(Key.ENTITIES)):
        faults.add("price_or_entities", field=Key.PRICE)
    if Key.ENTITIES in stored and not stored[Key.ENTITIES]:
        faults.add("entities_missing", field=Key.ENTITIES)
    unit = stored.get(Key.PRICE_UNIT)
    if unit is not None:
        try:
            price_unit(unit)
        except BadUnit:
            faults.add("unit_unknown", unit=unit)
    if not faults:
        await _try(hass, stored, faults)


async def _check_bands(hass: HomeAssistant, kind: TariffKind, stored: Mapping[str, Any], faults: FormFaults) -> None:
    """Add what is wrong with bands; a tariff that reads its prices may do without any."""
    if kind not in (TariffKind.BANDS, TariffKind.PRICES):
        return
    try:
        bands_of(stored).check()
    except TariffFault as fault:
        placeholders = fault.placeholders
        if "day" in placeholders:
            days = await words_of(hass, "selector")
            day = placeholders["day"].lower()
            placeholders = {**placeholders, "day": days.get(f"day.options.{day}", day)}
        # The fields of a folded section have no place for what is wrong with them.
        faults.add(fault.key, field=Key.BANDS if kind is TariffKind.BANDS else "base", **placeholders)


async def _try(hass: HomeAssistant, stored: Mapping[str, Any], faults: FormFaults) -> None:
    """Add what keeps the chosen entities from telling what they should."""
    source = tariff_source(stored)
    wanted: ForecastWanted | None = None
    if isinstance(source, ForecastTariff | EmissionsTariff | FeedInTariff | SolarForecast):
        wanted = source.forecast
    if wanted is None:
        return
    told = await tried(hass, wanted)
    if told.fault is not None and told.fault.key not in PASSING:
        faults.add(f"source_{told.fault.key}", field=Key.ENTITIES, detail=told.fault.detail)
