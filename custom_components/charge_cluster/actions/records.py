"""Actions that answer out of the records, and the one that deletes old ones.

Answers are bounded: by a number that the caller gives, or by the time that may be asked for. Who charged, and
what its driver said of it, is told to administrators alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from ..chargers import LimitOutcome
from ..const import DOMAIN, SUPPLY_ID
from ..coordinator import ChargeClusterConfigEntry
from ..engine.model import Reason
from ..ledger.demand import DemandRecord
from ..ledger.limits import LimitRecord, LimitTable
from ..ledger.sessions import SessionRecord
from ..site.settings import CircuitSettings
from .fields import posix
from .ledger_errors import told
from .privacy import is_administrator
from .sentences import Sentences, spoken
from .target import (
    DEVICES_OR_SITE,
    Place,
    Scope,
    device_id_of,
    places_of,
    scopes_of,
    targets_of,
    the_circuits,
    the_ledger,
)

START = "start"
END = "end"
LIMIT = "limit"
KEEP_DAYS = "keep_days"

MINUTE_S = 60.0
DAY_S = 86_400.0

USUAL_SESSIONS_S = 7 * DAY_S
USUAL_DEMAND_S = DAY_S
"""So far back goes the answer to who does not say how far."""

LONGEST_S = 366 * DAY_S

MOST_ROWS = 1_000
USUAL_ROWS = 100
MOST_MINUTES = 31 * 1_440
"""A month of one circuit, or less of several."""
MOST_READ = 20_000
"""Limits that are read for one answer about many connectors."""

OUTCOMES = {LimitOutcome.ACCEPTED: True, LimitOutcome.REFUSED: False}
"""Whether a charger took a limit; of other outcomes that is not known."""


SPAN = {vol.Optional(START): posix, vol.Optional(END): posix}
ROWS = {vol.Optional(LIMIT, default=USUAL_ROWS): vol.All(vol.Coerce(int), vol.Range(min=1, max=MOST_ROWS))}

GET_SESSIONS = vol.Schema({**DEVICES_OR_SITE, **SPAN, **ROWS})
GET_LIMITS = vol.Schema({**DEVICES_OR_SITE, **ROWS})
GET_DEMAND = vol.Schema({**DEVICES_OR_SITE, **SPAN})
PURGE = vol.Schema({vol.Required(KEEP_DAYS): vol.All(vol.Coerce(int), vol.Range(min=1, max=36_500))})


def _span(call: ServiceCall, *, usual_s: float) -> tuple[float, float]:
    """Return from when to when a call asks, in UTC POSIX seconds. Raises ServiceValidationError."""
    end: float = call.data.get(END, dt_util.utcnow().timestamp())
    start: float = call.data.get(START, end - usual_s)
    if start >= end:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="ends_before_it_starts")
    if end - start > LONGEST_S:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="too_long",
            translation_placeholders={"days": f"{LONGEST_S / DAY_S:.0f}"},
        )
    return start, end


def _about(place: Place | None) -> JsonObjectType:
    """Return which connector it is; one that is gone has no name any more."""
    if place is None:
        return {"connector": None, "device_id": None}
    return {"connector": place.name, "device_id": place.device_id}


# Sessions -----------------------------------------------------------------------------------------------------------


@told
async def get_sessions(call: ServiceCall) -> ServiceResponse:
    """Return sessions, newest first."""
    start, end = _span(call, usual_s=USUAL_SESSIONS_S)
    limit: int = call.data[LIMIT]
    personal = await is_administrator(call.hass, call)
    found: list[tuple[float, JsonObjectType]] = []
    for scope in scopes_of(targets_of(call.hass, call)):
        sessions = scope.entry.runtime_data.installation.ledger.sessions
        # One more than is told says that there are more.
        stored = await sessions.newest(scope.entry.entry_id, start, end, connectors=scope.keys, count=limit + 1)
        places = places_of(scope.entry)
        running = _running(scope)
        ids = {record.session_id for record in stored}
        unstored = [
            record for session_id, record in running.items() if session_id not in ids and record.started_at < end
        ]
        found.extend(
            (record.started_at, _session(record, places.get(record.connector), running, personal=personal))
            for record in (*stored, *unstored)
        )
    found.sort(key=lambda dated: dated[0], reverse=True)
    return {"sessions": [answer for _, answer in found[:limit]], "complete": len(found) <= limit}


def _running(scope: Scope) -> dict[str, SessionRecord]:
    """Return the sessions that run now, by their ids."""
    site = scope.entry.runtime_data.site
    return {
        view.session.session_id: SessionRecord(
            site_id=site.site_id,
            session_id=view.session.session_id,
            connector=key,
            started_at=view.session.started_at,
            ended_at=None,
            energy_wh=view.session.energy_wh,
            id_tag=view.session.id_tag,
            transaction_id=view.session.transaction_id,
            departure_at=view.session.wish.departure_at,
            wanted_wh=view.session.wish.wanted_wh,
            cost=view.session.costs.cost,
            saving=view.session.costs.saving,
            saving_against_alone=view.session.costs.saving_against_alone,
            unpriced_wh=view.session.costs.unpriced_wh,
            currency=view.session.costs.currency,
        )
        for key, view in site.connectors.items()
        if view.session is not None and scope.covers(key)
    }


def _session(
    record: SessionRecord, place: Place | None, running: dict[str, SessionRecord], *, personal: bool
) -> JsonObjectType:
    """Return a session as it is answered; of one that runs, what is known now and not what was stored when it began."""
    runs = record.session_id in running
    now = running.get(record.session_id, record)
    until = dt_util.utcnow().timestamp() if runs else record.ended_at
    session: JsonObjectType = {
        **_about(place),
        "session_id": now.session_id,
        "started_at": spoken(now.started_at),
        "ended_at": spoken(now.ended_at),
        "running": runs,
        "duration_s": None if until is None else max(0, round(until - now.started_at)),
        "energy_kwh": round(now.energy_wh / 1000, 3),
        "transaction_id": now.transaction_id,
        "cost": _money(now.cost),
        "saving": _money(now.saving),
        "saving_against_alone": _money(now.saving_against_alone),
        "unpriced_kwh": round(now.unpriced_wh / 1000, 3),
        "currency": now.currency,
    }
    if personal:
        session |= {
            "id_tag": now.id_tag,
            # As the driver said it, whether that has passed by now or not.
            "departure": spoken(record.departure_at),
            "wanted_kwh": None if record.wanted_wh is None else round(record.wanted_wh / 1000, 3),
        }
    return session


def _money(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 4)


# Limits -------------------------------------------------------------------------------------------------------------


@told
async def get_limits(call: ServiceCall) -> ServiceResponse:
    """Return the newest limits, newest first."""
    limit: int = call.data[LIMIT]
    sentences = await Sentences.load(call.hass)
    found: list[tuple[float, JsonObjectType]] = []
    complete = True
    for scope in scopes_of(targets_of(call.hass, call)):
        ledger = scope.entry.runtime_data.installation.ledger
        records, all_of_them = await newest_limits(ledger.limits, scope, limit)
        complete = complete and all_of_them
        places, circuits = places_of(scope.entry), _circuit_names(scope.entry)
        befores = with_befores(records)
        found.extend(
            (record.at or 0.0, _limit(record, places.get(record.connector), circuits, scope.entry.title, sentences))
            for record in befores
        )
    found.sort(key=lambda dated: dated[0], reverse=True)
    return {"limits": [answer for _, answer in found[:limit]], "complete": complete and len(found) <= limit}


async def newest_limits(limits: LimitTable, scope: Scope, limit: int) -> tuple[list[LimitRecord], bool]:
    """Return the newest limits, at least so many, and whether these are all. Raises StoreUnavailable."""
    site_id = scope.entry.entry_id
    if scope.keys is None:
        records = list(await limits.latest(site_id, count=2 * limit))
        return records, len(records) < 2 * limit
    each = max(1, min(2 * limit, MOST_READ // max(1, len(scope.keys))))
    found: list[LimitRecord] = []
    horizon = float("-inf")
    for key in scope.keys:
        records = list(await limits.latest(site_id, key, each))
        found.extend(records)
        if len(records) == each:  # older ones of this connector were not read
            horizon = max(horizon, records[-1].at or 0.0)
    known = [record for record in found if (record.at or 0.0) >= horizon]
    known.sort(key=lambda record: record.at or 0.0, reverse=True)
    return known, horizon == float("-inf")


def with_befores(records: Sequence[LimitRecord]) -> list[LimitRecord]:
    """Fill in what was accepted before each limit that does not say it itself, where that is among these."""
    accepted: dict[str, float] = {}
    filled = []
    for record in reversed(records):
        before = accepted.get(record.connector) if record.before_a is None else record.before_a
        filled.append(replace(record, before_a=before))
        if record.outcome == LimitOutcome.ACCEPTED:
            accepted[record.connector] = record.limit_a
    filled.reverse()
    return filled


def _limit(
    record: LimitRecord, place: Place | None, circuits: dict[str, str], site: str, sentences: Sentences
) -> JsonObjectType:
    """Return a limit as it is answered."""
    circuit = None if record.circuit_id is None else circuits.get(record.circuit_id)
    because = None
    if place is not None and record.reason in Reason:
        because = sentences.reason(
            Reason(record.reason),
            connector=place.name,
            circuit=circuit or site,
            limit_a=record.limit_a,
            fallback_a=place.charge_point.fallback_a,
        )
    return {
        **_about(place),
        "at": spoken(record.at),
        "from_a": record.before_a,
        "to_a": record.limit_a,
        "reason": record.reason,
        "circuit": circuit,
        "because": because,
        "sent": record.outcome != LimitOutcome.NOT_SENT,
        "accepted": OUTCOMES.get(LimitOutcome(record.outcome)) if record.outcome in LimitOutcome else None,
        "sent_at": spoken(record.sent_at),
        "form": record.form,
        "drawn_a": record.drawn_a,
        "seen_a": record.seen_a,
        "seen_at": spoken(record.seen_at),
    }


def _circuit_names(entry: ChargeClusterConfigEntry) -> dict[str, str]:
    return {circuit.circuit_id: circuit.name for circuit in entry.runtime_data.site.settings.circuits}


# Demand -------------------------------------------------------------------------------------------------------------


@told
async def get_demand(call: ServiceCall) -> ServiceResponse:
    """Return the demand of circuits minute by minute, oldest first."""
    start, end = _span(call, usual_s=USUAL_DEMAND_S)
    asked = {
        (target.entry.entry_id, circuit.circuit_id): (target.entry, circuit)
        for target in targets_of(call.hass, call)
        for circuit in the_circuits(target)
    }
    if len(asked) * (end - start) / MINUTE_S > MOST_MINUTES:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="too_many_minutes",
            translation_placeholders={
                "circuits": str(len(asked)),
                "hours": f"{MOST_MINUTES * MINUTE_S / 3600 / len(asked):.0f}",
            },
        )
    return {"circuits": [await _demand(entry, circuit, start, end) for entry, circuit in asked.values()]}


async def _demand(
    entry: ChargeClusterConfigEntry, circuit: CircuitSettings, start: float, end: float
) -> JsonObjectType:
    demand = entry.runtime_data.installation.ledger.demand
    records = await demand.between(entry.entry_id, start, end, circuit.circuit_id)
    device = entry.entry_id if circuit.circuit_id == SUPPLY_ID else circuit.circuit_id
    return {
        "circuit": circuit.name,
        "device_id": device_id_of(entry, device),
        "minutes": list(_minutes(records)),
    }


def _minutes(records: Iterable[DemandRecord]) -> Iterable[JsonObjectType]:
    for record in records:
        l1, l2, l3 = record.peak_a
        yield {
            "start": spoken(record.minute_start),
            "l1_a": round(l1, 2),
            "l2_a": round(l2, 2),
            "l3_a": round(l3, 2),
            "mean_power_w": round(record.mean_power_w),
        }


# Old records --------------------------------------------------------------------------------------------------------


@told
async def purge(call: ServiceCall) -> None:
    """Delete old measurements, limits and demand of all sites."""
    days: int = call.data[KEEP_DAYS]
    await the_ledger(call.hass).purge(dt_util.utcnow().timestamp() - days * DAY_S)
