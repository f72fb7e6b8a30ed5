"""What a charge point tells, in every version of OCPP: compared with what is known, and passed on where it is news.

States and measurements of connectors and of the meter of the charge point itself; how far firmware and logs are; what a
person may want to know. Of a charge point that tells too much not all is passed on.
"""

from __future__ import annotations

from collections.abc import Callable

from .conversation import Noticed, Progress, Progressed, StationMeasured, StatusReported, Terminals, Unusable
from .metering import Sample, fits_power, phase_currents
from .on_demand import OnDemand
from .pacing import Allowance
from .protocols import Clock, MeterRecord, TransactionJournal
from .standing import STATION, Standing

TOLD_AT_ONCE = 60
TOLD_PER_S = 0.5
"""Of progress and notices so many are passed on: they end up in automations and in the recorder."""


class News:
    """What one charge point tells."""

    def __init__(
        self,
        standing: Standing,
        *,
        journal: TransactionJournal,
        clock: Clock,
        charge_point_id: Callable[[], str],
        terminals: Callable[[int], Terminals],
        on_demand: OnDemand,
        station_on_demand: OnDemand,
    ) -> None:
        """Begin without any.

        Args:
            standing: what is known, and who listens.
            journal: where readings are written down.
            clock: the clock.
            charge_point_id: gives the id that records carry.
            terminals: gives what is known of a connector by configuration.
            on_demand: is told of measurements of connectors, which may have been asked for.
            station_on_demand: is told of those of the charge point itself.
        """
        self._standing = standing
        self._journal = journal
        self._clock = clock
        self._charge_point_id = charge_point_id
        self._terminals = terminals
        self._on_demand = on_demand
        self._station_on_demand = station_on_demand
        self._progress: dict[Progress, Progressed] = {}
        self._telling = Allowance(rate_per_s=TOLD_PER_S, burst=TOLD_AT_ONCE)

    def take_status(self, status: StatusReported) -> None:
        """Take the state of a connector; what is news is told."""
        if self._standing.connector(status.connector).take_status(status, self._clock.monotonic()):
            self._standing.report(status)

    def take_notice(self, noticed: Noticed | None) -> None:
        """Take something that a person may want to know; of a charger that tells too much not all is passed on."""
        if noticed is not None and self._telling.take_if_free(self._clock.monotonic()):
            self._standing.report(noticed)

    def take_progress(self, progressed: Progressed | None) -> None:
        """Take word of how far something is; what is news is told."""
        if progressed is None or self._progress.get(progressed.what) == progressed:
            return
        self._progress[progressed.what] = progressed
        if self._telling.take_if_free(self._clock.monotonic()):
            self._standing.report(progressed)

    def take_sample(self, connector: int, sample: Sample, arrived: float) -> None:
        """Take a sample that came in at a time of ours."""
        at = self._clock.monotonic()
        if sample.stamped_at is not None:
            at -= self._standing.charger_clock.age(sample.stamped_at, arrived)
        if connector == STATION:
            self._take_station_sample(sample, at)
            return
        state = self._standing.connector(connector)
        if state.measured is not None and at < state.measured.at:
            return
        measured = state.take_sample(sample, self._terminals(connector), at)
        if measured is not None:
            self._on_demand.measured(connector)
            self._standing.report(measured)

    def _take_station_sample(self, sample: Sample, at: float) -> None:
        known = self._standing.station
        if known is not None and at < known.at:
            return
        amps = phase_currents(sample)
        unusable = None
        if amps is None:
            if sample.power_w is None and sample.total_a is None and all(each is None for each in sample.amps):
                return  # a register or a temperature alone
            unusable = Unusable.MISSING_PHASE
        elif not fits_power(sample, amps):
            amps, unusable = None, Unusable.IMPLAUSIBLE
        self._standing.station = StationMeasured(
            amps=amps,
            at=at,
            unusable=unusable,
            power_w=sample.power_w,
            energy_wh=sample.energy_wh,
            voltage_v=sample.voltage_v,
        )
        self._station_on_demand.measured(STATION)
        self._standing.report(self._standing.station)

    def record(self, connector: int, transaction_id: int, samples: list[Sample]) -> None:
        """Have readings of a transaction written down."""
        now = self._clock.time()
        records = []
        for sample in samples:
            told = any(amps is not None for amps in sample.amps)
            first, second, third = (amps or 0.0 for amps in sample.amps)
            records.append(
                MeterRecord(
                    charge_point_id=self._charge_point_id(),
                    connector=connector,
                    transaction_id=transaction_id,
                    measured_at=now if sample.stamped_at is None else sample.stamped_at,
                    energy_wh=sample.energy_wh,
                    power_w=sample.power_w,
                    amps=(first, second, third) if told else None,
                )
            )
        if records:
            self._journal.record_meter_values(records)
