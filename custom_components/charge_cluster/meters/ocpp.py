"""The meter that a charge point has of its own, told over OCPP as connector 0: a master's, of all its satellites.

The charge point is asked to tell of it by the clock. One that does not is asked for each reading. The time of a reading
is the charger's, put right by what is known of its clock, and never later than its arrival.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..engine.model import PhaseAmps
from ..ocpp.conversation import Conversation, NotReachable, Refused, Report, StationMeasured, Unreachable
from ..ocpp.protocols import Clock
from . import FaultKey, MeterFault, MeterSample, ReportSample, plausible
from .settings import MeterSettings, OcppMeterSettings

LOGGER = logging.getLogger(__name__)

PATIENCE = 1.5
"""After so many intervals without a reading it is asked for one."""


class OcppMeter:
    """The meter of one charge point."""

    def __init__(
        self,
        settings: MeterSettings,
        source: OcppMeterSettings,
        *,
        conversation: Conversation | None,
        clock: Clock,
    ) -> None:
        """Prepare; `start` begins to listen. Without a conversation there is no such charge point any more."""
        self._settings = settings
        self._source = source
        self._conversation = conversation
        self._clock = clock
        self._told_at = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self._end_listening: Callable[[], None] | None = None

    async def start(self, report: ReportSample) -> None:
        """Begin to report."""
        conversation = self._conversation
        if conversation is None:
            report(MeterFault(key=FaultKey.UNREACHABLE, detail="its charge point is not configured"))
            return

        def heard(said: Report) -> None:
            match said:
                case StationMeasured():
                    self._told_at = self._clock.monotonic()
                    report(self._outcome(said))
                case Unreachable():
                    report(MeterFault(key=FaultKey.UNREACHABLE, detail="its charge point is not connected"))

        self._end_listening = conversation.listen(heard)
        conversation.want_station_values(max(1, round(self._source.interval_s)))
        self._task = asyncio.get_running_loop().create_task(self._ask(conversation))

    async def stop(self) -> None:
        """End reporting."""
        if self._end_listening is not None:
            self._end_listening()
            self._end_listening = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _ask(self, conversation: Conversation) -> None:
        """Ask for readings for as long as none come by themselves."""
        while True:
            await asyncio.sleep(self._source.interval_s)
            if self._clock.monotonic() - self._told_at < PATIENCE * self._source.interval_s:
                continue
            try:
                await conversation.measure_station()
            except NotReachable, Refused:
                LOGGER.debug("The meter of %s cannot be asked", self._source.identity)

    def _outcome(self, measured: StationMeasured) -> MeterSample | MeterFault:
        if measured.amps is None:
            key = FaultKey.MISSING_PHASE if measured.unusable is None else FaultKey(measured.unusable.value)
            return MeterFault(key=key, detail=f"{key.value} in what connector 0 tells")
        factor = -self._settings.ratio if self._settings.inverted else self._settings.ratio
        first, second, third = measured.amps
        amps: PhaseAmps = (first * factor, second * factor, third * factor)
        if not plausible(amps):
            return MeterFault(key=FaultKey.IMPLAUSIBLE, detail=f"currents {measured.amps}")
        energy, power = measured.energy_wh, measured.power_w
        return MeterSample(
            amps=amps,
            measured_at=measured.at,
            power_w=None if power is None else power * factor,
            energy_import_wh=None if energy is None else energy * self._settings.ratio,
            voltage_v=measured.voltage_v,
        )
