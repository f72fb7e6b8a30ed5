"""Events of a charge point: its sessions, the cards that are shown to it, and what it tells of its security.

Sessions begin and end, wait for a place and get one, and are done; `site.session_news` sees to it that this is not told
with every pass. Cards are accepted or refused, or Home Assistant is asked about them.

An event lands in the recorder, where neither a driver's tag nor when a driver leaves has any business: a card is told
by the driver's name, where one is known, and its last two characters.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .chargers import ChargerNoticed, ForAutomations
from .coordinator import ChargeClusterConfigEntry, SiteCoordinator, Subject
from .entity import ChargePointEntity, Shows, always, described
from .ocpp.conversation import Notice
from .ocpp.security.events import EVENTS, MAX_EVENT
from .site.cards import CardEvent, CardNews
from .site.session_news import ADMITTED, DONE, IMPOSSIBLE, WAITING
from .site.views import ChargePointView, SessionEvent, connector_key, connector_number

PARALLEL_UPDATES = 0

WH_PER_KWH = 1000.0

ENDED = "ended"

OF_PLACES = frozenset({WAITING, ADMITTED})
"""These tell where in the queue it is, and when that is expected to change."""


def snake_case(kind: str) -> str:
    """Return the name of an event as Home Assistant spells them: InvalidTLSVersion is invalid_tls_version."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind).lower()


@dataclass(frozen=True, kw_only=True)
class ChargePointEventDescription(EventEntityDescription, Shows[ChargePointView]):
    """Something that happens at a charge point."""


SESSION = ChargePointEventDescription(
    key="session",
    translation_key="session",
    event_types=["started", WAITING, ADMITTED, DONE, IMPOSSIBLE, ENDED],
    # What happened stays true while the charge point is away, and coming back is no news of it.
    available_fn=always,
)


CARD = ChargePointEventDescription(
    key="card",
    translation_key="card",
    event_types=[news.value for news in CardNews],
    available_fn=always,
)

OTHER = "other"
"""A security event that the specifications do not list; its name is an attribute."""

SECURITY = ChargePointEventDescription(
    key="security",
    translation_key="security",
    entity_category=EntityCategory.DIAGNOSTIC,
    event_types=[*(snake_case(kind) for kind in EVENTS), OTHER],
    available_fn=always,
)


class SecurityEvents(ChargePointEntity, EventEntity):
    """What a charge point tells that concerns its security."""

    entity_description: ChargePointEventDescription

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.site.on_told(self._seen))

    @callback
    def _seen(self, charge_point_id: str, told: ForAutomations) -> None:
        if charge_point_id != self.subject.subject_id or not isinstance(told, ChargerNoticed):
            return
        if told.what != Notice.SECURITY:
            return
        kind = told.name[:MAX_EVENT]
        self._trigger_event(snake_case(kind) if kind in EVENTS else OTHER, {"reported": kind})
        self.async_write_ha_state()


class SessionEvents(ChargePointEntity, EventEntity):
    """What happens to the sessions at a charge point."""

    entity_description: ChargePointEventDescription

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.on_session(self._seen))

    @callback
    def _seen(self, event: SessionEvent) -> None:
        number = connector_number(event.key)
        if event.key != connector_key(self.subject.subject_id, number):
            return
        told = {
            "connector": number,
            "session_id": event.session.session_id,
            "energy_kwh": round(event.session.energy_wh / WH_PER_KWH, 3),
            "duration_s": round(event.duration_s),
        }
        if event.kind in OF_PLACES:
            told |= {"queue_position": event.queue_position, "expected_at": _spoken(event.expected_at)}
        elif event.kind == IMPOSSIBLE:
            # By when it could be had would tell when it leaves; the trigger tells it to automations.
            told |= {"shortfall_kwh": round(event.shortfall_wh / WH_PER_KWH, 3)}
        elif event.kind == ENDED:
            costs = event.session.costs
            told |= {
                "cost": _rounded(costs.cost),
                "saving": _rounded(costs.saving),
                "saving_against_alone": _rounded(costs.saving_against_alone),
                "unpriced_kwh": round(costs.unpriced_wh / WH_PER_KWH, 3),
                "currency": costs.currency,
            }
        self._trigger_event(event.kind, told)
        self.async_write_ha_state()


def _spoken(at: float | None) -> str | None:
    return None if at is None else dt_util.utc_from_timestamp(round(at)).isoformat()


def _rounded(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 2)


class CardEvents(ChargePointEntity, EventEntity):
    """What happens to the cards that are shown to a charge point."""

    entity_description: ChargePointEventDescription

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.site.cards.listen(self._seen))

    @callback
    def _seen(self, event: CardEvent) -> None:
        if event.charge_point_id != self.subject.subject_id:
            return
        until = event.until
        told = {
            "connector": event.connector,
            "driver": event.driver,
            "card": event.card,
            "answer": None if event.status is None else event.status.value.lower(),
            "decision_id": event.decision_id,
            "until": None if until is None else dt_util.utc_from_timestamp(round(until)).isoformat(),
        }
        self._trigger_event(event.kind.value, told)
        self.async_write_ha_state()


async def async_setup_entry(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Make the events of every charge point that is there and that comes."""
    del hass
    sessions, cards = described(SessionEvents, (SESSION,)), described(CardEvents, (CARD,))
    security = described(SecurityEvents, (SECURITY,))

    def events(coordinator: SiteCoordinator, subject: Subject) -> Iterable[Entity]:
        return (*sessions(coordinator, subject), *cards(coordinator, subject), *security(coordinator, subject))

    entry.runtime_data.coordinator.add_platform(async_add_entities, charge_point=events)
