"""What a site's energy costs and when: all its tariffs in one, whatever their sources tell or fail to tell.

Prices that are known add up. Where a forecast ends or fails, its bands stand in, or else the prices of the last day
that is known, at the same hours, so that a plan always has something to go by; that this is so is told as a problem,
and shown. A price that was told once stays known: day-ahead prices do not change because the entity behind them is
gone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from functools import partial

from ..engine.bands import UK_DEFAULT_OFF_PEAK, Bands
from ..engine.tariff import PriceCurve, PricePoint, Window, add, blend, common, merged
from ..ocpp.listeners import enlist
from ..ocpp.protocols import Clock
from ..tariffs import FaultKey, Source, SourceFactory, SourceFault, Told
from ..tariffs.settings import (
    BandTariff,
    CheapTimesTariff,
    DemandCharge,
    EmissionsTariff,
    FeedInTariff,
    ForecastTariff,
    ForecastWanted,
    HolidaysWanted,
    SolarForecast,
    TariffSettings,
    TariffSource,
    Wanted,
)
from .problems import Problem, ProblemKey, Severity

DAY_S = 86_400.0
KEPT_S = 2 * DAY_S
"""Prices of so long ago are still known, for what sessions have cost."""
AHEAD_S = 7 * DAY_S
"""So far ahead what was told last is repeated where nothing better is known."""
LONGEST_SPAN_S = 200 * DAY_S
"""Nobody is told of more at a time."""

LATE_S = 5 * 3600.0
"""Day-ahead prices are published from about one o'clock in Central Europe, from four in Great Britain; where less than
this is known ahead, they are late."""

LOOK_EVERY_S = 900.0
"""So often what is shown is looked at anew, whatever happens; so long a clock that was set back is not noticed."""

FORECAST_S = 2 * DAY_S
"""Shown of prices and emissions, from the beginning of the present day."""

MOST_SHOWN = 200

PRICE, EMISSIONS, OFF_PEAK, DEMAND = "price", "emissions", "off_peak", "demand_charge"
"""What is shown of tariffs; each is told of by itself."""

STANDING_BY = UK_DEFAULT_OFF_PEAK
"""What is off-peak where no tariff says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveView:
    """A price, or emissions, as they are shown."""

    now: float | None
    known_until: float | None
    """UTC POSIX seconds; None: nothing is known."""
    sources: tuple[str, ...] = ()
    """The names of the tariffs that it comes from."""
    degraded: tuple[str, ...] = ()
    """Those of them whose forecast fails or is late."""
    forecast: tuple[PricePoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OffPeakView:
    """Whether it is off-peak, as it is shown."""

    now: bool
    changes_at: float | None
    """UTC POSIX seconds; None: not within what is looked at."""
    sources: tuple[str, ...] = ()
    """The names of the tariffs that say it; none: the usual hours stand in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffView:
    """How a single tariff fares, for whoever looks for a fault."""

    name: str
    known: int
    """How many prices (or emissions, or watts) it was told."""
    known_until: float | None
    """UTC POSIX seconds, without a gap from now on."""
    windows: int
    holidays: int
    faults: tuple[SourceFault, ...]


@dataclass(slots=True, eq=False)
class _Held:
    """A tariff, what its sources have told, and what ends them."""

    settings: TariffSettings
    since: float
    """Monotonic seconds."""
    curve: PriceCurve = field(default_factory=PriceCurve)
    windows: tuple[Window, ...] = ()
    week: Bands | None = None
    holidays: frozenset[date] = frozenset()
    faults: dict[Wanted, SourceFault] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)

    @property
    def fault(self) -> SourceFault | None:
        """Return what is wrong with its sources."""
        return next(iter(self.faults.values()), None)


class Tariffs:
    """All tariffs of a site."""

    def __init__(
        self,
        *,
        clock: Clock,
        local_zone: Callable[[], tzinfo],
        currency: Callable[[], str],
        sources: SourceFactory | None,
        tell: Callable[[str], None],
    ) -> None:
        """Begin with none.

        Args:
            sources: makes what is asked for outside; None: there is no outside, and what is asked for is missing.
            tell: is told what of `PRICE`, `EMISSIONS`, `OFF_PEAK` and `DEMAND` shows something else than before.
        """
        self.price = CurveView(now=None, known_until=None)
        self.emissions = CurveView(now=None, known_until=None)
        self.off_peak_now = OffPeakView(now=False, changes_at=None)
        self._clock = clock
        self._zone = local_zone
        self._currency = currency
        self._factory = sources
        self._tell = tell
        self._held: dict[str, _Held] = {}
        self._listeners: list[Callable[[], None]] = []
        self._look_at = float("-inf")
        """Wall time at which what is shown has to be looked at again."""

    # What is configured ------------------------------------------------------------------------------------------

    async def apply(self, wanted: Sequence[TariffSettings]) -> None:
        """Take up tariffs; one that is as it was goes on as it was."""
        by_id = {settings.tariff_id: settings for settings in wanted}
        changed, charged = False, self.demand_charge
        for tariff_id, held in list(self._held.items()):
            settings = by_id.get(tariff_id)
            if settings is not None and settings.source == held.settings.source:
                changed |= settings != held.settings
                held.settings = settings
                continue
            del self._held[tariff_id]
            await _end(held)
            changed = True
        for settings in wanted:
            if settings.tariff_id not in self._held:
                changed = True
                await self._begin(settings)
        self._held = {tariff_id: self._held[tariff_id] for tariff_id in by_id}
        if changed:
            self._news()
        if charged != self.demand_charge:
            self._tell(DEMAND)

    async def _begin(self, settings: TariffSettings) -> None:
        held = self._held[settings.tariff_id] = _Held(settings, self._clock.monotonic())
        for wanted in wanted_by(settings.source):
            if self._factory is None:
                held.faults[wanted] = SourceFault(key=FaultKey.MISSING_ENTITY, detail="–")
                continue
            source = self._factory(wanted)
            held.sources.append(source)
            await source.start(partial(self._told, held, wanted))

    async def close(self) -> None:
        """End all sources."""
        held, self._held = self._held, {}
        for each in held.values():
            await _end(each)

    def listen(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have told when prices, emissions or off-peak times are other than before; return what ends it."""
        return enlist(self._listeners, changed)

    def _told(self, held: _Held, wanted: Wanted, told: Told) -> None:
        before = (held.curve, held.windows, held.week, held.holidays, dict(held.faults))
        if isinstance(wanted, HolidaysWanted):
            held.holidays = told.holidays
        elif isinstance(wanted, ForecastWanted):
            # Cut at whole days: what is forgotten is no news, and shall not look like it with every report.
            today = self._clock.time() // DAY_S * DAY_S
            held.curve = told.curve.with_fallback(held.curve).clipped(today - KEPT_S, today + LONGEST_SPAN_S)
        elif told.fault is None:
            held.windows, held.week = told.windows, told.week
        if told.fault is None:
            held.faults.pop(wanted, None)
        else:
            held.faults[wanted] = told.fault
        if before != (held.curve, held.windows, held.week, held.holidays, held.faults):
            self._news()

    def _news(self) -> None:
        self._look_at = float("-inf")
        self.look()
        for listener in list(self._listeners):
            listener()

    # What it costs -----------------------------------------------------------------------------------------------

    @property
    def currency(self) -> str:
        """Return the currency of all prices (ISO 4217)."""
        return self._currency()

    @property
    def demand_charge(self) -> float:
        """Return what a kilowatt of the highest demand of a month costs."""
        return sum(s.per_kw_month for _, s in self._of(DemandCharge))

    @property
    def demand_objective(self) -> float:
        """Return what a kilowatt of the highest demand counts as in what a plan minimises: money, as prices there."""
        emissions = next(iter(self._of(EmissionsTariff)), None)
        if emissions is None or not emissions[0].curve:
            return self.demand_charge
        return (1.0 - min(1.0, emissions[1].weight)) * self.demand_charge

    @property
    def priced(self) -> bool:
        """Return whether any tariff gives prices."""
        return any(_is_priced(held.settings.source) for held in self._held.values())

    def curve(self, start: float, end: float) -> PriceCurve:
        """Return the price of what is taken from the grid, all tariffs added up."""
        start, end = _bounded(start, end)
        return add([self._prices(held, start, end) for held in self._held.values() if _is_priced(held.settings.source)])

    def objective(self, start: float, end: float) -> PriceCurve:
        """Return what a plan minimises: prices with emissions as configured.

        Without prices it is the emissions alone; without either, off-peak times cost nothing and others 1.
        """
        start, end = _bounded(start, end)
        prices = self.curve(start, end)
        emissions = next(iter(self._of(EmissionsTariff)), None)
        if not self.priced:
            if emissions is None or not emissions[0].curve:
                return self._by_off_peak(start, end)
            prices = PriceCurve.flat(start, end, 0.0)
        if emissions is None:
            return prices
        held, settings = emissions
        # A demand charge is money as well: how much that counts is said by the weight.
        weight = settings.weight if self.priced or self.demand_objective > 0.0 else 1.0
        return blend(prices, self._repeated(held.curve, start, end), weight, settings.value_per_kg)

    def emissions_of(self, start: float, end: float) -> PriceCurve:
        """Return what is known of emissions, in grams per kWh."""
        return next((held.curve.clipped(start, end) for held, _ in self._of(EmissionsTariff)), PriceCurve())

    def feed_in(self, start: float, end: float) -> PriceCurve:
        """Return what is paid for what is fed in; nothing where nobody has said."""
        start, end = _bounded(start, end)
        curves = []
        for held, settings in self._of(FeedInTariff):
            if settings.price is not None:
                curves.append(PriceCurve.flat(start, end, settings.price))
            else:
                curves.append(self._repeated(held.curve, start, end).scaled(settings.factor, settings.plus))
        return add(curves)

    def solar(self, start: float, end: float) -> PriceCurve:
        """Return the watts that own generation is expected to yield; where nothing is known nobody has said."""
        return add([held.curve.clipped(start, end) for held, _ in self._of(SolarForecast)])

    def off_peak(self, start: float, end: float) -> tuple[Window, ...]:
        """Return when it is off-peak by every tariff that says when; where none does, by the usual hours."""
        start, end = _bounded(start, end)
        found: tuple[Window, ...] | None = None
        for held in self._held.values():
            times = self._off_peak_of(held, start, end)
            if times is not None:
                found = merged(times) if found is None else common(found, times)
        return STANDING_BY.off_peak(start, end, self._zone()) if found is None else found

    def _of[Kind: TariffSource](self, kind: type[Kind]) -> Iterator[tuple[_Held, Kind]]:
        for held in self._held.values():
            if isinstance(held.settings.source, kind):
                yield held, held.settings.source

    def _prices(self, held: _Held, start: float, end: float) -> PriceCurve:
        source = held.settings.source
        match source:
            case BandTariff():
                return source.bands.curve(start, end, self._zone(), held.holidays)
            case CheapTimesTariff(cheap=cheap, usual=usual) if cheap is not None and usual is not None:
                cheap_times = common(self._cheap(held, start, end), (Window(start, end),))
                return PriceCurve.of(PricePoint(w.start, w.end, cheap) for w in cheap_times).with_fallback(
                    PriceCurve.flat(start, end, usual)
                )
            case ForecastTariff():
                known = held.curve.scaled(source.factor, source.plus)
                if source.fallback is None:
                    return self._repeated(known, start, end)
                bands = source.fallback.bands.curve(start, end, self._zone(), held.holidays)
                return known.clipped(start, end).with_fallback(bands)
        return PriceCurve()

    def _repeated(self, known: PriceCurve, start: float, end: float) -> PriceCurve:
        """Return what is known, and after its end its last day once more, for a while."""
        found = known.clipped(start, end)
        if not known:
            return found
        last = known.ends[-1]
        day = known.clipped(last - DAY_S, last)
        until = min(end, self._clock.time() + AHEAD_S)
        shift = DAY_S
        while last - DAY_S + shift < until:
            moved = PriceCurve(tuple(at + shift for at in day.starts), tuple(at + shift for at in day.ends), day.prices)
            found = found.with_fallback(moved.clipped(start, end))
            shift += DAY_S
        return found

    def _cheap(self, held: _Held, start: float, end: float) -> tuple[Window, ...]:
        """Return the times that somebody marks as cheap."""
        if held.week is not None:
            return held.week.off_peak(start, end, self._zone())
        return held.windows

    def _off_peak_of(self, held: _Held, start: float, end: float) -> tuple[Window, ...] | None:
        """Return what a tariff says is off-peak; None: it says nothing of it."""
        span = (Window(start, end),)
        match held.settings.source:
            case BandTariff(bands=bands) if bands.knows_off_peak:
                return bands.off_peak(start, end, self._zone(), held.holidays)
            case CheapTimesTariff():
                now = self._clock.time()
                lost = held.week is None and not any(window.end > now for window in held.windows)
                # A calendar that cannot be read does not say that it is never cheap.
                return None if lost and held.fault is not None else common(self._cheap(held, start, end), span)
            case ForecastTariff(off_peak_below=most) if most is not None:
                prices = self._prices(held, start, end)
                return prices.below(most) if prices else None
        return None

    def _by_off_peak(self, start: float, end: float) -> PriceCurve:
        """Return 0 for off-peak times and 1 for others."""
        cheap = PriceCurve.of(PricePoint(w.start, w.end, 0.0) for w in self.off_peak(start, end))
        return cheap.with_fallback(PriceCurve.flat(start, end, 1.0))

    # What is shown -----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take note of the time: what is shown changes with it."""
        now = self._clock.time()
        if self._look_at - LOOK_EVERY_S <= now < self._look_at:
            return
        start = _midnight(now, self._zone())
        price, emissions, off_peak = (
            self._view(self.curve(start, now + FORECAST_S), now, self._priced()),
            self._view(
                self.emissions_of(start, now + FORECAST_S), now, [held for held, _ in self._of(EmissionsTariff)]
            ),
            self._off_peak_view(now),
        )
        # What is late becomes so by the time alone.
        ends = [point.end for shown in (price, emissions) for point in shown.forecast if point.start <= now < point.end]
        self._look_at = min((*ends, off_peak.changes_at or math.inf, now + LOOK_EVERY_S))
        for name, before, after in (
            (PRICE, self.price, price),
            (EMISSIONS, self.emissions, emissions),
            (OFF_PEAK, self.off_peak_now, off_peak),
        ):
            if before != after:
                self._show(name, after)

    def _show(self, name: str, view: CurveView | OffPeakView) -> None:
        if isinstance(view, OffPeakView):
            self.off_peak_now = view
        elif name == PRICE:
            self.price = view
        else:
            self.emissions = view
        self._tell(name)

    def _priced(self) -> list[_Held]:
        return [held for held in self._held.values() if _is_priced(held.settings.source)]

    def _view(self, curve: PriceCurve, now: float, tariffs: Iterable[_Held]) -> CurveView:
        concerned = list(tariffs)
        return CurveView(
            now=curve.at(now),
            known_until=self._known_until(concerned, now),
            sources=tuple(held.settings.name for held in concerned),
            degraded=tuple(held.settings.name for held in concerned if self._failing(held, now) is not None),
            forecast=tuple(curve.points())[:MOST_SHOWN],
        )

    def _known_until(self, tariffs: Iterable[_Held], now: float) -> float | None:
        """Return until when everything is known and nothing stands in; None: where no forecast is needed."""
        needed = [held for held in tariffs if isinstance(held.settings.source, ForecastTariff | EmissionsTariff)]
        return min((held.curve.known_until(now) for held in needed), default=None)

    def _off_peak_view(self, now: float) -> OffPeakView:
        windows = self.off_peak(now, now + AHEAD_S)
        inside = bool(windows) and windows[0].start <= now
        if inside:
            changes_at: float | None = windows[0].end if windows[0].end < now + AHEAD_S else None
        else:
            changes_at = windows[0].start if windows else None
        sources = tuple(
            held.settings.name for held in self._held.values() if self._off_peak_of(held, now, now + 1.0) is not None
        )
        return OffPeakView(now=inside, changes_at=changes_at, sources=sources)

    def views(self) -> dict[str, TariffView]:
        """Return how each tariff fares, by its id."""
        now = self._clock.time()
        return {
            tariff_id: TariffView(
                name=held.settings.name,
                known=len(held.curve.starts),
                known_until=None if held.curve.at(now) is None else held.curve.known_until(now),
                windows=len(held.windows),
                holidays=len(held.holidays),
                faults=tuple(held.faults.values()),
            )
            for tariff_id, held in self._held.items()
        }

    # What is wrong -----------------------------------------------------------------------------------------------

    def problems(self) -> tuple[Problem, ...]:
        """Return the tariffs whose sources fail."""
        now = self._clock.time()
        return tuple(
            Problem(
                key=key,
                subject=held.settings.tariff_id,
                severity=Severity.WARNING,
                placeholders={"tariff": held.settings.name, "fault": _told_of(held.fault)},
            )
            for held in self._held.values()
            if (key := self._failing(held, now)) is not None
        )

    def _failing(self, held: _Held, now: float) -> ProblemKey | None:
        """Return what is wrong with a tariff; None: nothing."""
        if isinstance(held.settings.source, ForecastTariff):
            if held.curve.at(now) is None:
                return ProblemKey.PRICES_MISSING
            if held.fault is None and held.curve.known_until(now) < now + LATE_S:
                return ProblemKey.PRICES_LATE
        return None if held.fault is None else ProblemKey.TARIFF_UNREADABLE


def shown_of(tariffs: Iterable[TariffSettings]) -> tuple[str, ...]:
    """Return what is shown of tariffs: what is off-peak always, the rest where there is such."""
    sources = [settings.source for settings in tariffs]
    priced, clean = any(map(_is_priced, sources)), any(isinstance(source, EmissionsTariff) for source in sources)
    peaks = any(isinstance(source, DemandCharge) for source in sources)
    return (
        OFF_PEAK,
        *((PRICE,) if priced else ()),
        *((EMISSIONS,) if clean else ()),
        *((DEMAND,) if peaks else ()),
    )


def wanted_by(source: TariffSource) -> tuple[Wanted, ...]:
    """Return what a tariff needs to be told from outside."""
    match source:
        case BandTariff(holidays=calendar):
            return () if calendar is None else (HolidaysWanted(entity=calendar),)
        case ForecastTariff(forecast=forecast, fallback=fallback):
            return (forecast, *(() if fallback is None else wanted_by(fallback)))
        case CheapTimesTariff(times=times):
            return (times,)
        case EmissionsTariff(forecast=forecast) | SolarForecast(forecast=forecast):
            return (forecast,)
        case FeedInTariff(forecast=told):
            return () if told is None else (told,)
        case DemandCharge():
            return ()


def _told_of(fault: SourceFault | None) -> str:
    """Return a fault as it is told to a person; where nothing was told at all there is none."""
    return "–" if fault is None else f"{fault.key.value}: {fault.detail}"


def _is_priced(source: TariffSource) -> bool:
    """Return whether a tariff adds to the price of energy."""
    if isinstance(source, CheapTimesTariff):
        return source.cheap is not None and source.usual is not None
    return isinstance(source, BandTariff | ForecastTariff)


async def _end(held: _Held) -> None:
    for source in held.sources:
        await source.stop()


def _bounded(start: float, end: float) -> tuple[float, float]:
    return start, min(end, start + LONGEST_SPAN_S)


def _midnight(now: float, zone: tzinfo) -> float:
    """Return when the present day began."""
    today = datetime.fromtimestamp(now, zone)
    return today.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp()
