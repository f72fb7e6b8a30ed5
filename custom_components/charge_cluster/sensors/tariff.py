"""What is told of tariffs, and of what a month has cost by them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntityDescription, SensorStateClass
from homeassistant.const import UnitOfPower
from homeassistant.helpers.entity import Entity
from homeassistant.util import dt as dt_util

from ..coordinator import SiteCoordinator, Subject
from ..entity import Shows, TariffEntity, described
from ..site.billing import MONTH, MonthView
from ..site.month_peak import PeakView
from ..site.tariffs import DEMAND, EMISSIONS, PRICE, CurveView, Tariffs
from .shown import WH_PER_KWH, Sensor, moment, money, named


@dataclass(frozen=True, kw_only=True)
class TariffSensorDescription(SensorEntityDescription, Shows[Tariffs]):
    """Something to be told of tariffs."""


def _ahead(view: CurveView, digits: int) -> dict[str, Any]:
    """Return what is known of a price or of emissions over time, and how well."""
    known_until = moment(view.known_until)
    return {
        "sources": list(view.sources),
        "degraded": list(view.degraded),
        "known_until": None if known_until is None else known_until.isoformat(),
        "forecast": [
            {
                "start": datetime.fromtimestamp(point.start, UTC).isoformat(),
                "end": datetime.fromtimestamp(point.end, UTC).isoformat(),
                "value": round(point.price, digits),
            }
            for point in view.forecast
        ],
    }


PRICE_DIGITS = 5


TARIFF_SENSORS: Mapping[str, tuple[TariffSensorDescription, ...]] = {
    PRICE: (
        TariffSensorDescription(
            **named("price"),
            state_class=SensorStateClass.MEASUREMENT,
            suggested_display_precision=3,
            value_fn=lambda tariffs: None if tariffs.price.now is None else round(tariffs.price.now, PRICE_DIGITS),
            attributes_fn=lambda tariffs: _ahead(tariffs.price, PRICE_DIGITS),
        ),
    ),
    EMISSIONS: (
        TariffSensorDescription(
            **named("co2"),
            state_class=SensorStateClass.MEASUREMENT,
            suggested_display_precision=0,
            native_unit_of_measurement="gCO2eq/kWh",
            value_fn=lambda tariffs: None if tariffs.emissions.now is None else round(tariffs.emissions.now, 1),
            attributes_fn=lambda tariffs: _ahead(tariffs.emissions, 1),
        ),
    ),
}
"""By what they are of."""


class TariffSensor(Sensor[Tariffs], TariffEntity):
    """What is told of prices or emissions; what is known ahead is for charts, not for the recorder."""

    entity_description: TariffSensorDescription
    _unrecorded_attributes = frozenset({"forecast"})

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        unit = self.entity_description.native_unit_of_measurement
        return f"{self.coordinator.site.tariffs.currency}/kWh" if unit is None else unit


@dataclass(frozen=True, kw_only=True)
class MonthSensorDescription(SensorEntityDescription, Shows[MonthView]):
    """Something to be told of what a month has cost."""


def _of_month(view: MonthView) -> dict[str, Any]:
    return {
        "sessions": view.sessions,
        "energy_kwh": round(view.energy_wh / WH_PER_KWH, 3),
        "unpriced_kwh": round(view.unpriced_wh / WH_PER_KWH, 3),
    }


MONTH_TOTAL: Mapping[str, Any] = {
    "device_class": SensorDeviceClass.MONETARY,
    "state_class": SensorStateClass.TOTAL,
    "suggested_display_precision": 2,
}


MONTH_SENSORS = (
    MonthSensorDescription(
        **named("month_cost"), **MONTH_TOTAL, value_fn=lambda month: money(month.cost), attributes_fn=_of_month
    ),
    MonthSensorDescription(
        **named("month_saving"),
        **MONTH_TOTAL,
        value_fn=lambda month: money(month.saving),
        attributes_fn=lambda month: {"against_alone": money(month.saving_against_alone)},
    ),
)
"""Of the sessions that have ended in it."""


class MonthSensor(Sensor[MonthView]):
    """What the sessions have cost that ended in this month; on the site's device, where there are prices."""

    entity_description: MonthSensorDescription

    @override
    def picture(self) -> MonthView:
        return self.coordinator.site.billing.month

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.site.subscribe(MONTH, self._changed))

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        return self.picture().currency

    @property
    @override
    def last_reset(self) -> datetime | None:
        return moment(self.picture().start)


@dataclass(frozen=True, kw_only=True)
class PeakSensorDescription(SensorEntityDescription, Shows[PeakView]):
    """Something to be told of the highest demand of a month."""

    money: bool = False
    """Whether it is in the currency of the site, and a total of the month."""


def _of_peak(view: PeakView) -> dict[str, Any]:
    begun_at = moment(view.at)
    return {"quarter_hour": None if begun_at is None else begun_at.isoformat()}


PEAK_SENSORS = (
    PeakSensorDescription(
        **named("month_peak"),
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_unit_of_measurement=UnitOfPower.KILO_WATT,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=1,
        value_fn=lambda peak: None if peak.watts is None else round(peak.watts),
        attributes_fn=_of_peak,
    ),
    PeakSensorDescription(
        **named("month_peak_cost"), **MONTH_TOTAL, money=True, value_fn=lambda peak: money(peak.cost)
    ),
)
"""Of the supply, where a tariff has a demand charge."""


class PeakSensor(Sensor[PeakView]):
    """The highest demand of this month and what it costs; on the site's device, where there is a demand charge."""

    entity_description: PeakSensorDescription

    @override
    def picture(self) -> PeakView:
        site = self.coordinator.site
        return site.month_peak.view(dt_util.utcnow().timestamp(), site.tariffs.demand_charge)

    @property
    @override
    def native_unit_of_measurement(self) -> str | None:
        return self.coordinator.site.tariffs.currency if self.entity_description.money else UnitOfPower.WATT

    @property
    @override
    def last_reset(self) -> datetime | None:
        return moment(self.picture().start) if self.entity_description.money else None


def tariff_sensors(coordinator: SiteCoordinator, subject: Subject) -> Iterable[Entity]:
    """Return the sensors of what tariffs say of one thing."""
    yield from described(TariffSensor, TARIFF_SENSORS.get(subject.subject_id, ()))(coordinator, subject)
    if subject.subject_id == PRICE:
        yield from described(MonthSensor, MONTH_SENSORS)(coordinator, subject)
    if subject.subject_id == DEMAND:
        yield from described(PeakSensor, PEAK_SENSORS)(coordinator, subject)
