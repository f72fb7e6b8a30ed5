"""Numbers that a user sets on a connector (the most it may draw, who goes first), a session (its energy) and the site.

A number shows what is wished, not what is given: it is kept beside the configuration, so it can be set while the charge
point is away. Its range is that of the connector's settings and follows them. A value that says no more than the
settings (the whole range, the charge point's own priority) is kept as no wish at all, so that later settings count.
What is wished of a session goes with it. Those of the site hold for sessions of which nothing else is known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.number import NumberDeviceClass, NumberEntity, NumberEntityDescription, NumberMode
from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfElectricCurrent, UnitOfEnergy, UnitOfTime
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .coordinator import ChargeClusterConfigEntry, SiteCoordinator, Subject
from .engine.planned import MOST_DELAY_S
from .engine.steps import known_above
from .entity import ConnectorEntity, Shows, SiteEntity, SubjectEntity, always, described
from .session_wishes import MOST_WANTED_KWH, WH_PER_KWH, SessionWishEntity, wish_of
from .site.session_wish import FULL_SOC
from .site.settings import MAXIMUM_PRIORITY, ChargePointSettings, ConnectorSettings, SiteSettings
from .site.site import Site
from .site.views import ConnectorView, connector_key

PARALLEL_UPDATES = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is configured where a number belongs."""

    charge_point: ChargePointSettings
    connector: ConnectorSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a number may be."""

    least: float
    most: float
    step: float
    whole: bool = False
    """Whether nothing between whole numbers has a meaning."""

    def holds(self, value: float) -> bool:
        """Return whether a value is possible; what is no number at all is not."""
        return self.least <= value <= self.most and (not self.whole or value.is_integer())


@dataclass(frozen=True, kw_only=True)
class ConnectorNumberDescription(NumberEntityDescription, Shows[ConnectorView]):
    """A wish of a connector that is a number."""

    span_fn: Callable[[Place], Span]
    wish_fn: Callable[[float, Place], Mapping[str, Any]]
    """Turn a value into fields of `ConnectorWish`."""
    refusal: str
    """Key of the sentence that says which values are possible."""


def cap_span(place: Place) -> Span:
    """Return what a cap may be, in amps: a cap below the first step that reaches the minimum would be a switch."""
    most, step = place.connector.maximum_a, place.charge_point.step_a
    least = known_above(place.connector.minimum_a, step, place.charge_point.steps_a)
    return Span(least=min(least, most), most=most, step=step)


def cap_wish(amps: float, place: Place) -> Mapping[str, Any]:
    """Return the wish for a cap; the hardware's own maximum is none."""
    return {"cap_a": amps if amps < place.connector.maximum_a else None}


def priority_span(_place: Place) -> Span:
    """Return what a priority may be, as in the form of the charge point."""
    return Span(least=0, most=MAXIMUM_PRIORITY, step=1, whole=True)


def priority_wish(priority: float, place: Place) -> Mapping[str, Any]:
    """Return the wish for a priority; the charge point's own is none."""
    return {"priority": None if priority == place.charge_point.priority else int(priority)}


CONNECTOR_NUMBERS = (
    ConnectorNumberDescription(
        key="cap",
        translation_key="cap",
        device_class=NumberDeviceClass.CURRENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        entity_category=EntityCategory.CONFIG,
        value_fn=lambda view: view.cap_a,
        available_fn=always,
        span_fn=cap_span,
        wish_fn=cap_wish,
        refusal="cap_refused",
    ),
    ConnectorNumberDescription(
        key="priority",
        translation_key="priority",
        mode=NumberMode.BOX,
        entity_category=EntityCategory.CONFIG,
        entity_registry_enabled_default=False,
        value_fn=lambda view: view.priority,
        available_fn=always,
        span_fn=priority_span,
        wish_fn=priority_wish,
        refusal="priority_refused",
    ),
)


@dataclass(frozen=True, kw_only=True)
class ConnectorEnergyDescription(NumberEntityDescription, Shows[ConnectorView]):
    """How much a driver says that it wants."""


def _wanted(view: ConnectorView) -> float | None:
    wish = wish_of(view)
    return None if wish is None or wish.wanted_wh is None else wish.wanted_wh / WH_PER_KWH


WANTED_ENERGY = ConnectorEnergyDescription(
    key="wanted_energy",
    translation_key="wanted_energy",
    device_class=NumberDeviceClass.ENERGY,
    native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
    native_min_value=0.0,
    native_max_value=MOST_WANTED_KWH,
    native_step=0.1,
    mode=NumberMode.BOX,
    entity_registry_enabled_default=False,
    value_fn=_wanted,
    available_fn=always,
)


def _target(view: ConnectorView) -> float | None:
    wish = wish_of(view)
    return None if wish is None else wish.target_soc


TARGET_SOC = ConnectorEnergyDescription(
    key="target_soc",
    translation_key="target_soc",
    device_class=NumberDeviceClass.BATTERY,
    native_unit_of_measurement=PERCENTAGE,
    native_min_value=0.0,
    native_max_value=FULL_SOC,
    native_step=1.0,
    mode=NumberMode.BOX,
    entity_registry_enabled_default=False,
    value_fn=_target,
    available_fn=always,
)


@dataclass(frozen=True, kw_only=True)
class SiteNumberDescription(NumberEntityDescription, Shows[Site]):
    """A number that holds at a site."""

    wish_fn: Callable[[float], Mapping[str, Any]]
    """Turn a value into fields of `SiteWish`."""


SITE_NUMBERS = (
    SiteNumberDescription(
        key="usual_energy",
        translation_key="usual_energy",
        entity_category=EntityCategory.CONFIG,
        device_class=NumberDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        native_min_value=1.0,
        native_max_value=MOST_WANTED_KWH,
        native_step=0.5,
        mode=NumberMode.BOX,
        value_fn=lambda site: site.usual.energy_wh / WH_PER_KWH,
        wish_fn=lambda value: {"energy_wh": WH_PER_KWH * value},
        available_fn=always,
    ),
    SiteNumberDescription(
        key="random_delay",
        translation_key="random_delay",
        entity_category=EntityCategory.CONFIG,
        device_class=NumberDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        native_min_value=0.0,
        native_max_value=MOST_DELAY_S,
        native_step=1.0,
        mode=NumberMode.BOX,
        value_fn=lambda site: site.usual.delay_s,
        wish_fn=lambda value: {"delay_s": value},
        available_fn=always,
    ),
)


class ShownNumber[ViewT](NumberEntity, SubjectEntity[ViewT]):
    """A number that is the value which its description takes out of the picture.

    Home Assistant's class comes first: its `value` is the one that is shown, in the unit that the user chose.
    """

    @property
    @override
    def native_value(self) -> float | None:
        value: float | None = self._shown.value
        return value


class SiteNumber(ShownNumber[Site], SiteEntity):
    """A number that holds at a site."""

    entity_description: SiteNumberDescription

    @override
    async def async_set_native_value(self, value: float) -> None:
        self.coordinator.wish_usual(**self.entity_description.wish_fn(value))


class ConnectorNumber(NumberEntity, ConnectorEntity):
    """A wish of a connector that is a number.

    Home Assistant's class comes first: its `value` is the one that is shown, in the unit that the user chose.
    """

    entity_description: ConnectorNumberDescription

    def __init__(
        self,
        *,
        coordinator: SiteCoordinator,
        subject: Subject,
        description: ConnectorNumberDescription,
        place: Place,
    ) -> None:
        """Make the number with the range that the settings give it now."""
        super().__init__(coordinator=coordinator, subject=subject, description=description)
        self._settings = coordinator.site.settings
        self._take_place(place)

    def _take_place(self, place: Place) -> None:
        self._place = place
        self._span = self.entity_description.span_fn(place)
        self._attr_native_min_value = self._span.least
        self._attr_native_max_value = self._span.most
        self._attr_native_step = self._span.step

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self._follow_settings()
        self.async_on_remove(self.coordinator.site.subscribe("site", self._site_changed))

    @callback
    def _site_changed(self) -> None:
        before = self._span
        self._follow_settings()
        if self._span != before:
            self.async_write_ha_state()

    def _follow_settings(self) -> None:
        """Take over the range from the settings, unless the connector is about to go."""
        settings = self.coordinator.site.settings
        if settings is self._settings:
            return
        self._settings = settings
        place = place_of(settings, self.subject)
        if place is not None:
            self._take_place(place)

    @property
    @override
    def native_value(self) -> float | None:
        """Return the wish as it counts: one that the hardware no longer reaches counts as its maximum."""
        value: float | None = self._shown.value
        return None if value is None else min(value, self._span.most)

    @override
    async def async_set_native_value(self, value: float) -> None:
        span = self._span
        if not span.holds(value):
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key=self.entity_description.refusal,
                translation_placeholders={
                    "value": f"{value:g}",
                    "least": f"{span.least:g}",
                    "most": f"{span.most:g}",
                },
            )
        self.wish(**self.entity_description.wish_fn(value, self._place))


def place_of(settings: SiteSettings, subject: Subject) -> Place | None:
    """Return what is configured of a connector; None: it is not, or not any more."""
    for charge_point in settings.charge_points:
        for connector in charge_point.connectors:
            if connector_key(charge_point.charge_point_id, connector.number) == subject.subject_id:
                return Place(charge_point=charge_point, connector=connector)
    return None


class WantedEnergy(ShownNumber[ConnectorView], SessionWishEntity):
    """How much a driver wants of the session that runs; 0 takes the wish back."""

    entity_description: ConnectorEnergyDescription

    @override
    async def async_set_native_value(self, value: float) -> None:
        self.wish_session(wanted_wh=WH_PER_KWH * value if value != 0 else None)


class TargetStateOfCharge(ShownNumber[ConnectorView], SessionWishEntity):
    """How full the battery is to be in the session that runs; 0 takes the wish back."""

    entity_description: ConnectorEnergyDescription

    @override
    async def async_set_native_value(self, value: float) -> None:
        self.wish_session(target_soc=value if value != 0 else None)


def connector_numbers(coordinator: SiteCoordinator, subject: Subject) -> list[Entity]:
    """Return the numbers of a connector."""
    place = place_of(coordinator.site.settings, subject)
    if place is None:
        return []
    return [
        *(
            ConnectorNumber(coordinator=coordinator, subject=subject, description=description, place=place)
            for description in CONNECTOR_NUMBERS
        ),
        WantedEnergy(coordinator=coordinator, subject=subject, description=WANTED_ENERGY),
        TargetStateOfCharge(coordinator=coordinator, subject=subject, description=TARGET_SOC),
    ]


async def async_setup_entry(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the numbers of the site, and of every connector that is there and that comes."""
    del hass
    entry.runtime_data.coordinator.add_platform(
        async_add_entities, site=described(SiteNumber, SITE_NUMBERS), connector=connector_numbers
    )
