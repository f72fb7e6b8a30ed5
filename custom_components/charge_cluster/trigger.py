"""Triggers: what happens to sessions and cards, ceilings that hold back vehicles, meters that can no longer be trusted.

Each listens to the one entity that says so, wherever its target finds it: on a device, in an area, under a label. A
trigger tells of a change: what was so already when Home Assistant started, or comes back after it was unavailable, is
no news.
"""

from asyncio import Task
from typing import Any, ClassVar, override

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_OFF, STATE_ON, Platform
from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er
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

from .actions.sentences import spoken
from .site.cards import CardNews
from .site.session_news import ADMITTED, DONE, IMPOSSIBLE, WAITING
from .site.site import Site
from .targets import showing

EVENT_TYPE = "event_type"

OF_SESSIONS = ("connector", "session_id", "energy_kwh", "duration_s", "queue_position", "expected_at")
"""What is told of everything that happens to a session."""


class _TriggerOfOurs(EntityTriggerBase):
    """A trigger by the entities of ours that show one thing."""

    _key: ClassVar[str]

    @override
    def entity_filter(self, entities: set[str]) -> set[str]:
        return showing(self._hass, super().entity_filter(entities), self._key)


class _EventTrigger(_TriggerOfOurs, StatelessEntityTriggerBase):
    """Something that happens at a charge point."""

    _domain_specs = {Platform.EVENT: DomainSpec()}  # noqa: RUF012 - the base declares it an instance's
    _kind: ClassVar[str]
    _which: ClassVar[tuple[str, ...]]
    """What tells one event from another."""
    _variables: ClassVar[tuple[str, ...]]
    """What is told; each has the name of the attribute that it comes from."""

    @override
    def is_valid_transition(self, from_state: State, to_state: State) -> bool:
        # Not by the state, a time to the millisecond: at two connectors something may happen within one.
        return any(from_state.attributes.get(name) != to_state.attributes.get(name) for name in self._which)

    @override
    def is_valid_state(self, state: State, report_not_triggered: NotTriggeredReasonReporter) -> bool:
        return bool(state.attributes.get(EVENT_TYPE) == self._kind)

    @override
    async def async_attach_runner(
        self, run_action: TriggerActionRunner, did_not_trigger: TriggerNotTriggeredReporter | None = None
    ) -> CALLBACK_TYPE:
        @callback
        def run(extra_trigger_payload: dict[str, Any], description: str, context: Context | None = None) -> Task[Any]:
            state: State = extra_trigger_payload["to_state"]
            told = {name: state.attributes.get(name) for name in self._variables}
            return run_action(extra_trigger_payload | told | self._beyond(state), description, context)

        return await super().async_attach_runner(run, did_not_trigger)

    def _beyond(self, state: State) -> dict[str, Any]:
        """Return what automations are told beyond what the event shows to everybody."""
        del state
        return {}


class _SessionTrigger(_EventTrigger):
    """Something that happens to a session."""

    _key = "session"
    # A session begins once and ends once; what happens meanwhile does not happen twice in succession.
    _which: ClassVar[tuple[str, ...]] = (EVENT_TYPE, "session_id")
    _variables: ClassVar[tuple[str, ...]] = OF_SESSIONS


class _CardTrigger(_EventTrigger):
    """Something that happens to a card."""

    _key = "card"
    _which = (EVENT_TYPE, "decision_id")
    _variables = ("connector", "driver", "card", "answer", "decision_id", "until")


class SessionStarted(_SessionTrigger):
    """A vehicle was plugged in."""

    _kind = "started"


class SessionEnded(_SessionTrigger):
    """A vehicle was unplugged."""

    _kind = "ended"
    _variables = (*OF_SESSIONS, "cost", "saving", "saving_against_alone", "unpriced_kwh", "currency")


class SessionWaiting(_SessionTrigger):
    """A vehicle begins to wait for a place."""

    _kind = WAITING


class SessionAdmitted(_SessionTrigger):
    """A vehicle that waited has got its place."""

    _kind = ADMITTED


class SessionDone(_SessionTrigger):
    """A vehicle has what it wants."""

    _kind = DONE


class SessionImpossible(_SessionTrigger):
    """What was asked for cannot be had in time."""

    _kind = IMPOSSIBLE
    # It may become possible, which nobody is told, and impossible once more.
    _which = (EVENT_TYPE, "session_id", "shortfall_kwh", "duration_s")
    _variables = (*OF_SESSIONS, "shortfall_kwh", "possible_at")

    @override
    def _beyond(self, state: State) -> dict[str, Any]:
        """Return by when it could be had: not in the event, as that would tell everybody when the driver leaves."""
        return {"possible_at": self._possible_at(state)}

    def _possible_at(self, state: State) -> str | None:
        registered = er.async_get(self._hass).async_get(state.entity_id)
        entry = (
            None if registered is None else self._hass.config_entries.async_get_entry(registered.config_entry_id or "")
        )
        if entry is None or entry.state is not ConfigEntryState.LOADED:
            return None
        site: Site = entry.runtime_data.site
        for view in site.connectors.values():
            if view.session is not None and view.session.session_id == state.attributes.get("session_id"):
                return None if view.plan is None else spoken(view.plan.possible_at)
        return None


class CardAccepted(_CardTrigger):
    """A card was accepted."""

    _kind = CardNews.ACCEPTED


class CardRefused(_CardTrigger):
    """A card was refused."""

    _kind = CardNews.REFUSED


class CardAsked(_CardTrigger):
    """Home Assistant is to decide on a card."""

    _kind = CardNews.ASKED


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
    "session_waiting": SessionWaiting,
    "session_admitted": SessionAdmitted,
    "session_done": SessionDone,
    "session_impossible": SessionImpossible,
    "card_accepted": CardAccepted,
    "card_refused": CardRefused,
    "card_asked": CardAsked,
    "load_limited": LoadLimited,
    "load_no_longer_limited": LoadNoLongerLimited,
    "meter_stale": MeterStale,
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers that automations may use."""
    del hass
    return TRIGGERS
