"""What a person sends who asks for help: settings, what is seen now, problems and the last limits, without secrets.

Keys, idTags, identities, serial numbers and addresses are taken out twice: where they have a field of their own, and as
texts wherever they occur (a charge point is often named after its identity, a fault names the address that it met).
When drivers leave and what they want is taken out where it has a field.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from homeassistant.components.diagnostics import REDACTED, async_redact_data
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers.device_registry import AnyDeviceEntry
from homeassistant.loader import async_get_integration

from .chargers import GetsKnown
from .configuration import site_settings
from .const import DOMAIN
from .coordinator import ChargeClusterConfigEntry, SiteRuntime, SubjectKind, subjects_of
from .ledger.limits import LimitRecord
from .ledger.writer import StoreUnavailable
from .site.problems import Problem
from .site.settings import ModbusMeterSettings, SiteSettings
from .site.site import Site
from .site.views import NewcomerView

IN_SETTINGS = frozenset({"key", "identity", "host", "certificate", "client_authority", "names"})
"""Fields of settings that are secret, or tell who somebody is or where."""
IN_VIEWS = frozenset(
    {
        "id_tag",
        "serial",
        "remote",
        "departure_at",
        "told_departure_at",
        "leave_at",
        "possible_at",
        "wanted_wh",
        "asked_wh",
        "target_soc",
        "target",
        "battery_entity",
    }
)
"""Likewise in what is seen; `identity` is there what a charge point is, not who."""

LEAST_TEXT = 3
"""A shorter secret is taken out only where it is the whole text: the charge point "1" is not every 1."""

LIMITS = 100
"""The last limits of a site that are told."""
LIMITS_OF_CONNECTOR = 50

LIBRARIES = ("SQLAlchemy", "alembic", "pymodbus")

MAYBE_ADDRESS = re.compile(r"\d+(?:\.\d+){3}|[0-9A-Fa-f]*(?::[0-9A-Fa-f]*){2,}(?:\.\d+){0,3}")
"""What may be an IPv4 or IPv6 address; a time of day and a MAC address look like one."""

type Concerns = Callable[[str], bool]
"""Whether something with this id is told of."""


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: ChargeClusterConfigEntry) -> dict[str, Any]:
    """Return what is known of a site; of one that does not run, how it is configured."""

    def everything(_subject_id: str) -> bool:
        return True

    software = await _software(hass)
    if entry.state is not ConfigEntryState.LOADED:
        settings = site_settings(entry)
        configured = {"software": software, "state": entry.state.value, "settings": _settings(settings, everything)}
        return without(configured, secrets_of(settings))
    runtime = entry.runtime_data
    site = runtime.site
    told = {
        "software": software,
        "ledger": await _ledger(hass, runtime),
        **_known(runtime, everything),
        "cards": [async_redact_data(_plain(shown), IN_VIEWS) for shown in site.cards.unknown()],
        "newcomers": [_newcomer(view) for view in site.newcomers.values()],
        "limits": await _limits(runtime, [None], LIMITS),
    }
    return without(told, secrets_of(site.settings, site))


async def async_get_device_diagnostics(
    hass: HomeAssistant, entry: ChargeClusterConfigEntry, device: AnyDeviceEntry
) -> dict[str, Any]:
    """Return what is known of the part of a site that a device stands for."""
    software = await _software(hass)
    if entry.state is not ConfigEntryState.LOADED:
        settings = site_settings(entry)
        part = _settings(settings, _on(settings, device).__contains__)
        configured = {"software": software, "state": entry.state.value, "settings": part}
        return without(configured, secrets_of(settings))
    runtime = entry.runtime_data
    settings = runtime.site.settings
    concerned = _on(settings, device)
    told = {
        "software": software,
        **_known(runtime, concerned.__contains__),
        "limits": await _limits(runtime, sorted(concerned & runtime.site.connectors.keys()), LIMITS_OF_CONNECTOR),
    }
    return without(told, secrets_of(settings, runtime.site))


def _on(settings: SiteSettings, device: AnyDeviceEntry) -> set[str]:
    """Return the ids of what a device stands for: a charge point has its connectors with it."""
    here = {
        subject.subject_id: subject.kind
        for subject in subjects_of(settings)
        if (DOMAIN, subject.device_id) in device.identifiers
    }
    connectors = {
        subject.subject_id
        for subject in subjects_of(settings)
        if subject.kind is SubjectKind.CONNECTOR and subject.subject_id.rpartition("/")[0] in here
    }
    return here.keys() | connectors


# What is told -------------------------------------------------------------------------------------------------------


def _known(runtime: SiteRuntime, concerns: Concerns) -> dict[str, Any]:
    """Return settings, wishes, pictures and problems of what is concerned."""
    site = runtime.site
    wishes = runtime.coordinator.wishes.by_connector
    return {
        "settings": _settings(site.settings, concerns),
        "wishes": {key: _plain(wish) for key, wish in wishes.items() if concerns(key)},
        "circuits": _seen(site.circuits, concerns),
        "charge_points": _seen(site.charge_points, concerns),
        "acquaintance": {key: _acquaintance(site, key) for key in site.charge_points if concerns(key)},
        "connectors": _seen(site.connectors, concerns),
        "meters": _seen(site.meters, concerns),
        "tariffs": _plain(site.tariffs.views()) if concerns(site.site_id) else {},
        "security_profiles": {
            point.charge_point_id: runtime.installation.profile_of(site.settings, point.identity)
            for point in site.settings.charge_points
            if concerns(point.charge_point_id)
        },
        "problems": [_problem(problem) for problem in site.problems() if concerns(problem.subject)],
    }


def _settings(settings: SiteSettings, concerns: Concerns) -> dict[str, Any]:
    plain = _plain(settings)
    for name, its_id in (("circuits", "circuit_id"), ("charge_points", "charge_point_id"), ("meters", "meter_id")):
        plain[name] = [part for part in plain[name] if concerns(part[its_id])]
    if not concerns(settings.site_id):
        plain["tariffs"] = []
    return async_redact_data(plain, IN_SETTINGS)


def _seen(views: Mapping[str, object], concerns: Concerns) -> dict[str, Any]:
    return {its_id: async_redact_data(_plain(view), IN_VIEWS) for its_id, view in views.items() if concerns(its_id)}


def _acquaintance(site: Site, charge_point_id: str) -> Any:
    """Return what a first contact has found out about a charge point; None: there is nothing of the kind."""
    charger = site.charger(charge_point_id)
    return _plain(charger.acquaintance) if isinstance(charger, GetsKnown) else None


def _problem(problem: Problem) -> dict[str, Any]:
    placeholders = {name: without_addresses(text) for name, text in problem.placeholders.items()}
    return {"key": problem.key, "subject": problem.subject, "severity": problem.severity, "placeholders": placeholders}


def _newcomer(view: NewcomerView) -> dict[str, Any]:
    return async_redact_data(_plain(view), IN_VIEWS | {"identity"})


async def _limits(runtime: SiteRuntime, connectors: Sequence[str | None], count: int) -> list[Any] | None:
    """Return the newest limits of connectors (None: of the whole site), newest first; None: they cannot be read."""
    ledger, site_id = runtime.installation.ledger, runtime.site.site_id
    found: list[LimitRecord] = []
    try:
        for connector in connectors:
            found.extend(await ledger.limits.latest(site_id, connector, count))
    except StoreUnavailable:
        return None
    return [_plain(record) for record in found]


async def _ledger(hass: HomeAssistant, runtime: SiteRuntime) -> dict[str, Any]:
    ledger = runtime.installation.ledger
    fault = ledger.state.fault
    return {
        "available": ledger.state.available,
        # Behind its first line the fault of a database repeats what was to be written.
        "fault": None if fault is None else fault.partition("\n")[0],
        "replaced_with": ledger.state.replaced_with,
        "files": await hass.async_add_executor_job(_sizes, ledger.path.parent),
    }


def _sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each file in a folder."""
    return {file.name: file.stat().st_size for file in sorted(folder.glob("ledger.*")) if file.is_file()}


async def _software(hass: HomeAssistant) -> dict[str, str]:
    integration = await async_get_integration(hass, DOMAIN)
    libraries = await hass.async_add_executor_job(lambda: {name: version(name) for name in LIBRARIES})
    return {DOMAIN: str(integration.version), **libraries, "SQLite": sqlite3.sqlite_version}


def _plain(known: object) -> Any:
    """Return dataclasses as dictionaries and tuples as lists, all the way down, as redaction needs them."""
    if is_dataclass(known) and not isinstance(known, type):
        return _plain(asdict(known))
    if isinstance(known, Mapping):
        return {str(name): _plain(value) for name, value in known.items()}
    if isinstance(known, (list, tuple, set, frozenset)):
        return [_plain(value) for value in known]
    return known


# What is not told ---------------------------------------------------------------------------------------------------


def secrets_of(settings: SiteSettings, site: Site | None = None) -> frozenset[str]:
    """Return every text that must not be told."""
    found = {*_secrets_in_settings(settings), *(() if site is None else _secrets_seen(site))}
    return frozenset(text for text in found if text)


def _secrets_in_settings(settings: SiteSettings) -> Iterator[str | None]:
    yield settings.listener.host
    yield from settings.tls.names
    for point in settings.charge_points:
        yield from (point.identity, point.key)
    for meter in settings.meters:
        if isinstance(meter.source, ModbusMeterSettings):
            yield meter.source.host


def _secrets_seen(site: Site) -> Iterator[str | None]:
    for point in site.charge_points.values():
        yield point.identity.serial
    for connector in site.connectors.values():
        if connector.session is not None:
            yield connector.session.id_tag
    yield from (running.id_tag for running in site.running())
    yield from (shown.id_tag for shown in site.cards.unknown())
    for newcomer in site.newcomers.values():
        yield from (newcomer.identity, newcomer.remote, newcomer.identity_report.serial)


def without(told: dict[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """Take secrets out of every text; the names of fields and ids of ours hold none."""
    # Longest first, so that one that begins with another is not left in half.
    known = sorted(secrets, key=len, reverse=True)
    whole = frozenset(known)
    within = "|".join(re.escape(secret) for secret in known if len(secret) >= LEAST_TEXT)
    pattern = re.compile(rf"(?<!\w)(?:{within})(?!\w)") if within else None

    def cleaned(value: Any) -> Any:
        if isinstance(value, str):
            if value in whole:
                return REDACTED
            return value if pattern is None else pattern.sub(REDACTED, value)
        if isinstance(value, dict):
            return {name: cleaned(each) for name, each in value.items()}
        if isinstance(value, list):
            return [cleaned(each) for each in value]
        return value

    redacted: dict[str, Any] = cleaned(told)
    return redacted


def without_addresses(text: str) -> str:
    """Take IP addresses out of a fault: where a name was configured, only the fault tells what it stood for."""
    return MAYBE_ADDRESS.sub(lambda found: REDACTED if _is_address(found[0]) else found[0], text)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
