"""Conditions: whether vehicles charge or wait, whether a ceiling holds any back.

That a vehicle waits and that a ceiling holds back are states of entities. That current flows is not: power is shown
seldom, and by a charge point that measures neither power nor voltage not at all. So it is judged by the last measured
current, as the site itself does when it counts vehicles that charge.
"""

from typing import ClassVar, override

import voluptuous as vol
from homeassistant.const import CONF_OPTIONS, CONF_TARGET, STATE_ON, Platform
from homeassistant.core import HomeAssistant, State, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.condition import (
    ATTR_BEHAVIOR,
    BEHAVIOR_ALL,
    BEHAVIOR_ANY,
    Condition,
    EntityConditionBase,
    EntityStateConditionBase,
)

from .const import DOMAIN
from .coordinator import ChargeClusterConfigEntry
from .engine.model import VehicleState
from .site.views import ConnectorView
from .targets import showing, subject_id

CHARGES_ABOVE_A = 1.0
"""A vehicle that draws more than this on a phase charges; it is what the site counts by."""


class _ConditionOfOurs(EntityConditionBase):
    """A condition on the entities of ours that show one thing."""

    _key: ClassVar[str]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        return showing(self._hass, super().entity_filter(entities), self._key)


class IsCharging(_ConditionOfOurs):
    """A vehicle is plugged in and current flows into it."""

    _domain_specs = {Platform.SENSOR: DomainSpec()}  # noqa: RUF012 - the base declares it an instance's
    _key = "status"
    # Since when current flows is nowhere kept, so there is no duration to ask for.
    _schema = vol.Schema(
        {
            vol.Required(CONF_TARGET): cv.TARGET_FIELDS,
            vol.Required(CONF_OPTIONS, default={}): {
                vol.Required(ATTR_BEHAVIOR, default=BEHAVIOR_ANY): vol.In([BEHAVIOR_ANY, BEHAVIOR_ALL])
            },
        }
    )

    @property
    @override
    def needs_polling(self) -> bool:
        """Return that current may begin to flow while no state says so."""
        return True

    @override
    def is_valid_state(self, entity_state: State) -> bool:
        view = self._connector(entity_state.entity_id)
        if view is None or view.vehicle is not VehicleState.WANTS or view.drawn_a is None:
            return False
        return max(view.drawn_a) > CHARGES_ABOVE_A

    @callback
    def _connector(self, entity_id: str) -> ConnectorView | None:
        """Return the connector, as it is now, whose status an entity shows."""
        key = subject_id(self._hass, entity_id, self._key)
        if key is None:
            return None
        entries: list[ChargeClusterConfigEntry] = self._hass.config_entries.async_loaded_entries(DOMAIN)
        views = (entry.runtime_data.coordinator.connector(key) for entry in entries)
        return next((view for view in views if view is not None), None)


class IsWaiting(_ConditionOfOurs):
    """A vehicle wants current, gets none, and has a place in the queue."""

    _domain_specs = {Platform.SENSOR: DomainSpec(value_source="queue_position")}  # noqa: RUF012 - the base declares it an instance's
    _key = "limit_reason"

    @override
    def is_valid_state(self, entity_state: State) -> bool:
        return entity_state.attributes.get("queue_position") is not None


class IsLimited(_ConditionOfOurs, EntityStateConditionBase):
    """A ceiling holds back vehicles."""

    _domain_specs = {Platform.BINARY_SENSOR: DomainSpec()}  # noqa: RUF012 - the base declares it an instance's
    _key = "limited"
    _states = {STATE_ON}  # noqa: RUF012 - the base declares it an instance's


CONDITIONS: dict[str, type[Condition]] = {
    "is_charging": IsCharging,
    "is_waiting": IsWaiting,
    "is_limited": IsLimited,
}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions that automations may use."""
    del hass
    return CONDITIONS
