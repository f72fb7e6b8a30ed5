"""The base of every entity: what it is about, when it is available, when its state is written.

An entity is told only when its own subject changed and writes only when what it shows changed. What is measured would
change with every sample, so it is written when it differs by 5 % or after a minute: the recorder is not a logger. What
is decided or matters for safety is written at once.
"""

from asyncio import TimerHandle
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol, override

from homeassistant.core import callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.device_registry import ChildDeviceInfo, DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription

from .chargers import ChargerOffline, ChargerSilent, OperationRefused
from .const import DOMAIN
from .coordinator import EntityFactory, SiteCoordinator, Subject
from .engine.topology import TopologyError
from .ocpp.asking import NOT_KNOWN
from .ocpp.protocols import JournalUnavailable
from .site.proof import SettingsError
from .site.site import Site
from .site.tariffs import Tariffs
from .site.views import ChargePointView, CircuitView, ConnectorView, MeterView

WORTH_WRITING = 0.05
"""Share of the value shown by which a measured value must differ to be written before its time."""
MEASURED_EVERY_S = 60.0
"""A measured value that differs at all is written after this time at the latest."""
MEASURED_PAUSE_S = 10.0
"""Between two writes of a measured value, however much it differs: at most 6 rows a minute."""


def always(_view: object) -> bool:
    """Be available whatever has failed: a decision is known as long as we are here to make it."""
    return True


@dataclass(frozen=True, kw_only=True)
class Shows[ViewT]:
    """What an entity shows of its subject; mixed into the entity descriptions of the platforms."""

    value_fn: Callable[[ViewT], Any] = lambda _view: None
    """Take the value out of the picture of the subject; it is `self.value` in the entity."""
    attributes_fn: Callable[[ViewT], Mapping[str, Any]] | None = None
    available_fn: Callable[[ViewT], bool] | None = None
    """Whether the value is to be believed; None: as is usual for the kind of subject."""
    measured: bool = False
    """Whether the value is a measurement (a number), written with the recorder's budget in mind."""
    least_change: float = 0.0
    """Below this a difference of a measured value is noise, however large its share; in the value's unit."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """What was written last, or is to be written."""

    available: bool = False
    value: Any = None
    attributes: Mapping[str, Any] | None = None


class SubjectEntity[ViewT](Entity):
    """An entity about one subject of a site."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, *, coordinator: SiteCoordinator, subject: Subject, description: EntityDescription) -> None:
        """Make the entity; it begins to listen when it is added."""
        self.coordinator = coordinator
        self.subject = subject
        self.entity_description = description
        self._shows: Shows[ViewT] = description if isinstance(description, Shows) else Shows()
        self._shown = _Shown()
        self._written_at = 0.0
        self._due: TimerHandle | None = None
        self._attr_unique_id = f"{subject.unique_prefix}-{description.key}"

    def picture(self) -> ViewT | None:
        """Return the subject as it is now; None: the site does not have it (any more)."""
        raise NotImplementedError

    def believable(self, view: ViewT) -> bool:
        """Return whether the picture holds now, where the description does not say it."""
        del view
        return True

    @property
    def value(self) -> Any:
        """Return what the description took out of the picture, as it is (to be) written."""
        return self._shown.value

    @property
    @override
    def available(self) -> bool:
        return self._shown.available

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        return self._shown.attributes

    @property
    @override
    def device_info(self) -> DeviceInfo | ChildDeviceInfo:
        """Return the device that the coordinator registered."""
        identifiers = {(DOMAIN, self.subject.device_id)}
        if not self.subject.child:
            return DeviceInfo(identifiers=identifiers)
        parent = self.coordinator.devices.find(self.subject.subentry_id or "", child=False)
        return ChildDeviceInfo(identifiers=identifiers, parent_device_id=parent.id)

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self._shown = self._look()
        self._written_at = self.hass.loop.time()
        self.async_on_remove(self.coordinator.listen(self.subject, self._changed))
        self.async_on_remove(self._forget_due)

    def _look(self) -> _Shown:
        view = self.picture()
        if view is None:
            return _Shown()
        believable = self._shows.available_fn or self.believable
        if not believable(view):
            return _Shown()
        attributes = None if self._shows.attributes_fn is None else self._shows.attributes_fn(view)
        return _Shown(True, self._shows.value_fn(view), attributes)

    def _is_shown(self) -> bool:
        """Return whether all that it has to show, which is a value, is shown already: most often it is."""
        view, shown, shows = self.picture(), self._shown, self._shows
        if view is None or not (shows.available_fn or self.believable)(view):
            return not shown.available
        return bool(shown.available and shows.value_fn(view) == shown.value)

    @callback
    def _changed(self) -> None:
        """Write what changed, now or in its time."""
        if self._shows.attributes_fn is None and self._is_shown():
            return
        new = self._look()
        if new == self._shown:
            return
        when = self._when(new)
        if when <= self.hass.loop.time():
            self._write(new)
            return
        if self._due is None or when < self._due.when():
            self._forget_due()
            self._due = self.hass.loop.call_at(when, self._write_due)

    def _when(self, new: _Shown) -> float:
        """Return the time of the event loop at which a change is to be written, which may be past."""
        old = self._shown
        if not self._shows.measured or old.available != new.available or old.value is None or new.value is None:
            return self._written_at
        difference = abs(new.value - old.value)
        worth = difference >= max(WORTH_WRITING * abs(old.value), self._shows.least_change) and difference > 0
        pause = MEASURED_PAUSE_S if worth else MEASURED_EVERY_S
        return self._written_at + pause

    @callback
    def _write_due(self) -> None:
        new = self._look()
        self._due = None
        if new != self._shown:
            self._write(new)

    @callback
    def _write(self, new: _Shown) -> None:
        self._forget_due()
        self._shown = new
        self._written_at = self.hass.loop.time()
        self.async_write_ha_state()

    @callback
    def _forget_due(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


class SiteEntity(SubjectEntity[Site]):
    """An entity about a site; its picture is the site itself."""

    @override
    def picture(self) -> Site:
        return self.coordinator.site


class CircuitEntity(SubjectEntity[CircuitView]):
    """An entity about the supply (on the site's device) or a cluster."""

    @override
    def picture(self) -> CircuitView | None:
        return self.coordinator.circuit(self.subject.subject_id)


class ChargePointEntity(SubjectEntity[ChargePointView]):
    """An entity about a charge point as a whole."""

    @override
    def picture(self) -> ChargePointView | None:
        return self.coordinator.charge_point(self.subject.subject_id)

    @override
    def believable(self, view: ChargePointView) -> bool:
        return view.online


class ConnectorEntity(SubjectEntity[ConnectorView]):
    """An entity about a connector, on its charge point's device where that has only one."""

    @override
    def picture(self) -> ConnectorView | None:
        return self.coordinator.connector(self.subject.subject_id)

    @override
    def believable(self, view: ConnectorView) -> bool:
        return view.online

    @callback
    def wish(self, **changes: Any) -> None:
        """Change what a user wishes of the connector: `cap_a`, `enabled`, `priority`, `mode`."""
        self.coordinator.wish(self.subject.subject_id, **changes)


class MeterEntity(SubjectEntity[MeterView]):
    """An entity about a meter."""

    @override
    def picture(self) -> MeterView | None:
        return self.coordinator.meter(self.subject.subject_id)

    @override
    def believable(self, view: MeterView) -> bool:
        return view.available


class TariffEntity(SubjectEntity[Tariffs]):
    """An entity about prices, emissions or off-peak times of a site, on the site's device."""

    @override
    def picture(self) -> Tariffs:
        return self.coordinator.site.tariffs


class _EntityClass(Protocol):
    def __call__(self, *, coordinator: SiteCoordinator, subject: Subject, description: Any) -> Entity: ...


def described(entity_class: _EntityClass, descriptions: Iterable[EntityDescription]) -> EntityFactory:
    """Return the factory that makes one entity of each description."""
    known = tuple(descriptions)

    def make(coordinator: SiteCoordinator, subject: Subject) -> Iterable[Entity]:
        for description in known:
            yield entity_class(coordinator=coordinator, subject=subject, description=description)

    return make


def translated_errors[**P, ResultT](
    action: Callable[P, Coroutine[Any, Any, ResultT]],
) -> Callable[P, Coroutine[Any, Any, ResultT]]:
    """Turn errors of ours into ones that Home Assistant shows in the user's language."""

    @wraps(action)
    async def act(*args: P.args, **kwargs: P.kwargs) -> ResultT:
        try:
            return await action(*args, **kwargs)
        except ChargerSilent as error:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="charger_silent") from error
        except ChargerOffline as error:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="charger_offline") from error
        except OperationRefused as error:
            if error.answer in NOT_KNOWN:
                raise HomeAssistantError(translation_domain=DOMAIN, translation_key="operation_not_known") from error
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="operation_refused",
                translation_placeholders={"answer": error.answer},
            ) from error
        except JournalUnavailable as error:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="ledger_unavailable") from error
        except (SettingsError, TopologyError) as error:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="impossible_settings",
                translation_placeholders={"fault": str(error)},
            ) from error

    return act
