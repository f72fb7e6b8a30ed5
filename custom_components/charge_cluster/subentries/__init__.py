"""The forms in which clusters, charge points and meters are added and changed, and what all forms share.

A form is checked by what the site would be with it: the same proof that the site applies, so that nothing is stored
that could not be run. Figures of a fault go into the placeholders of its sentence.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import UnitOfElectricCurrent
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..configuration import site_settings
from ..const import SUPPLY_ID, Key, SubentryType
from ..engine.model import SharingRule
from ..site.proof import SettingsFault, check
from ..site.settings import SiteSettings

NEW_ID = "new"
"""Id of a circuit, charge point or meter that is not stored yet."""

MAXIMUM_RATING_A = 10_000.0
MAXIMUM_CONNECTOR_A = 500.0


def amps(*, least: float = 0.0, most: float = MAXIMUM_RATING_A, step: float = 0.1) -> NumberSelector:
    """Return a box for amps."""
    return NumberSelector(
        NumberSelectorConfig(
            min=least,
            max=most,
            step=step,
            mode=NumberSelectorMode.BOX,
            unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        )
    )


def whole_number(*, least: int, most: int) -> NumberSelector:
    """Return a box for a count."""
    return NumberSelector(NumberSelectorConfig(min=least, max=most, step=1, mode=NumberSelectorMode.BOX))


def choice(translation_key: str, options: Iterable[str]) -> SelectSelector:
    """Return a list to choose one of, named in the user's language."""
    return SelectSelector(
        SelectSelectorConfig(options=list(options), translation_key=translation_key, mode=SelectSelectorMode.DROPDOWN)
    )


def sharing_rule() -> SelectSelector:
    """Return the choice of a sharing rule."""
    return choice("sharing", SharingRule)


def circuit_choice(entry: ConfigEntry, *, without: str | None = None) -> SelectSelector:
    """Return the choice of the supply or a cluster of a site."""
    options = [SelectOptionDict(value=SUPPLY_ID, label=entry.title)]
    options.extend(
        SelectOptionDict(value=subentry.subentry_id, label=subentry.title)
        for subentry in entry.get_subentries_of_type(SubentryType.CLUSTER)
        if subentry.subentry_id != without
    )
    return SelectSelector(SelectSelectorConfig(options=options, mode=SelectSelectorMode.DROPDOWN))


def advanced(fields: Mapping[vol.Marker, Any]) -> section:
    """Return the folded part of a form, for what most leave as it is."""
    return section(vol.Schema(dict(fields)), {"collapsed": True})


def unfolded(form: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a form without its sections; empty fields are left out."""
    fields: dict[str, Any] = {}
    for name, value in form.items():
        if isinstance(value, Mapping):
            fields.update(unfolded(value))
        elif value is not None and value != "":
            fields[name] = value
    return fields


def folded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as values to suggest in a form with folded sections."""
    return {**fields, Key.ADVANCED: dict(fields), Key.PROTECTION: dict(fields), Key.ENCRYPTION: dict(fields)}


def ratings(fields: Mapping[str, Any]) -> list[float]:
    """Return the ratings of the three phases: one figure, or a different one where it was given."""
    common = float(fields[Key.RATING])
    return [float(fields.get(phase, common)) for phase in (Key.RATING_L1, Key.RATING_L2, Key.RATING_L3)]


def rating_fields(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form fields of stored ratings, the reverse of `ratings`."""
    l1, l2, l3 = stored[Key.RATINGS]
    if l1 == l2 == l3:
        return {Key.RATING: l1}
    return {Key.RATING: min(l1, l2, l3), Key.RATING_L1: l1, Key.RATING_L2: l2, Key.RATING_L3: l3}


def pick(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return those of the named fields that were filled in."""
    return {str(name): fields[name] for name in names if name in fields}


def name_taken(entry: ConfigEntry, kind: SubentryType, name: str, *, by_other_than: ConfigSubentry | None) -> bool:
    """Return whether something else of the same kind has this name."""
    own = None if by_other_than is None else by_other_than.subentry_id
    return any(
        subentry.title.casefold() == name.casefold()
        for subentry in entry.get_subentries_of_type(kind)
        if subentry.subentry_id != own
    )


class FormFaults:
    """What is wrong with a form, as Home Assistant shows it."""

    def __init__(self) -> None:
        """Begin without a fault."""
        self.errors: dict[str, str] = {}
        self.placeholders: dict[str, str] = {}

    def __bool__(self) -> bool:
        """Return whether anything is wrong."""
        return bool(self.errors)

    def add(self, key: str, *, field: str = "base", **placeholders: str) -> None:
        """Add a fault; the first of a field is the one that is shown."""
        if field not in self.errors:
            self.errors[field] = key
            self.placeholders |= placeholders

    def add_faults(self, faults: Iterable[SettingsFault], *, fields: Iterable[str]) -> None:
        """Add faults of the settings; those about a field that the form does not have stand above it."""
        known = set(fields)
        for fault in faults:
            self.add(fault.key, field=fault.field if fault.field in known else "base", **fault.placeholders)


def new_faults(entry: ConfigEntry, after: SiteSettings) -> tuple[SettingsFault, ...]:
    """Return what a change would make wrong; what was wrong before and does not get worse is not the form's fault."""
    before = {(fault.key, fault.subject): fault for fault in check(site_settings(entry))}

    def worse(fault: SettingsFault) -> bool:
        known = before.get((fault.key, fault.subject))
        return known is None or _excess(fault) > _excess(known)

    return tuple(fault for fault in check(after) if worse(fault))


def _excess(fault: SettingsFault) -> float:
    return float(fault.placeholders.get("excess", "0"))
