"""Triggers: sessions that begin and end, ceilings that hold back vehicles, meters that cannot be trusted any more.

Each listens to the one entity that says so, wherever its target finds it: on a device, in an area, under a label. A
trigger tells of a change: what was so already when Home Assistant started, or comes back after it was unavailable, is
no news.
"""

from asyncio import Task
from typing import Any, ClassVar, override

from homeassistant.const import STATE_OFF, STATE_ON, Platform
from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, State, callback
from homeassistant.helpers.automation import DomainSpec
from homeassistant.helpers.trigger import (
    EntityTargetStateTriggerBase,
    EntityTriggerBase,
    NotTriggeredReasonReporter,
    StatelessEntityTriggerBase,
    Trigger,
    TriggerActionRunner,
    TriggerNotTriggeredReporter,
)

from .targets import showing

EVENT_TYPE = "event_type"
WHICH_EVENT = (EVENT_TYPE, "session_id")
"""A session begins once and ends once."""
SESSION_VARIABLES = ("connector", "session_id", "energy_kwh", "duration_s")
"""What is told of a session; each has the name of the attribute that it comes from."""


class _TriggerOfOurs(EntityTriggerBase):
    """A trigger by the entities of ours that show one thing."""

    _key: ClassVar[str]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        return showing(self._hass, super().entity_filter(entities), self._key)


class _SessionTrigger(_TriggerOfOurs, StatelessEntityTriggerBase):
    """Something that happens to a session."""

    _domain_specs = {Platform.EVENT: DomainSpec()}  # noqa: RUF012 - the base declares it an instance's
    _key = "session"
    _kind: ClassVar[str]

    @override
    def is_valid_transition(self, from_state: State, to_state: State) -> bool:
        # Not by the state, a time to the millisecond: at two connectors something may happen within one.
        return any(from_state.attributes.get(name) != to_state.attributes.get(name) for name in WHICH_EVENT)

    @override
    def is_valid_state(self, state: State, report_not_triggered: NotTriggeredReasonReporter) -> bool:
        return bool(state.attributes.get(EVENT_TYPE) == self._kind)

    @override
    async def async_attach_runner(
        self, run_action: TriggerActionRunner, did_not_trigger: TriggerNotTriggeredReporter | None = None
    ) -> CALLBACK_TYPE:
        @callback
        def run(extra_trigger_payload: dict[str, Any], description: str, context: Context | None = None) -> Task[Any]:
            attributes = extra_trigger_payload["to_state"].attributes
            told = {name: attributes.get(name) for name in SESSION_VARIABLES}
            return run_action(extra_trigger_payload | told, description, context)

        return await super().async_attach_runner(run, did_not_trigger)


class SessionStarted(_SessionTrigger):
    """A vehicle was plugged in."""

    _kind = "started"


class SessionEnded(_SessionTrigger):
    """A vehicle was unplugged."""

    _kind = "ended"


class _CircuitTrigger(_TriggerOfOurs, EntityTargetStateTriggerBase):
    """Something that becomes so, or is no longer so, of the supply or a cluster."""

    _domain_specs = {Platform.BINARY_SENSOR: DomainSpec()}  # noqa: RUF012 - the base declares it an instance's


class LoadLimited(_CircuitTrigger):
    """A ceiling begins to hold back vehicles."""

    _key = "limited"
    _to_states = {STATE_ON}  # noqa: RUF012 - the base declares it an instance's


class LoadNoLongerLimited(_CircuitTrigger):
    """A ceiling holds back no vehicle any more."""

    _key = "limited"
    _to_states = {STATE_OFF}  # noqa: RUF012 - the base declares it an instance's


class MeterStale(_CircuitTrigger):
    """The meter that guards a circuit cannot be trusted any more."""

    _key = "stale"
    _to_states = {STATE_ON}  # noqa: RUF012 - the base declares it an instance's


TRIGGERS: dict[str, type[Trigger]] = {
    "session_started": SessionStarted,
    "session_ended": SessionEnded,
    "load_limited": LoadLimited,
    "load_no_longer_limited": LoadNoLongerLimited,
    "meter_stale": MeterStale,
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers that automations may use."""
    del hass
    return TRIGGERS
