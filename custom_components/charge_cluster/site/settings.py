"""What a site is configured to be, as plain facts; Home Assistant's entry and subentries are turned into these.

`Site.apply` takes a whole `SiteSettings`, finds what changed and changes only that: nobody else notices.
Ids are stable strings (subentry ids in Home Assistant).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ..engine.exposure import ProtectiveDevice
from ..engine.model import PhaseAmps, SharingRule
from ..meters.settings import EntityMeterSettings, MeterSettings, ModbusMeterSettings

__all__ = [
    "ChargePointSettings",
    "CircuitSettings",
    "ConnectorSettings",
    "ConnectorWish",
    "EntityMeterSettings",
    "ListenerSettings",
    "MeterSettings",
    "ModbusMeterSettings",
    "Security",
    "SiteSettings",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """Where charge points dial in; sites that name the same host and port share one listener."""

    host: str = "0.0.0.0"  # noqa: S104 - charge points are on the local network by nature
    port: int = 9000


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitSettings:
    """The supply or a cluster."""

    circuit_id: str
    name: str
    parent_id: str | None
    """None: the supply of the site, otherwise the cluster or supply above."""
    rating_a: PhaseAmps
    margin_a: float | None = None
    """None: max(2 A, 5 % of the rating)."""
    declared_base_load_a: PhaseAmps | None = None
    sharing: SharingRule | None = None
    neutral_a: float | None = None
    """Rating of the neutral conductor; None: as the phases."""
    unbalance_a: float | None = None
    """The most by which one phase may carry more than another; None: any."""
    power_kva: float | None = None
    """Three-phase apparent power; None: as the phases allow."""
    demand_kw: float | None = None
    """The most on the mean of each clock window; None: no such cap."""
    demand_window_min: int = 15
    """15, 30 or 60."""
    generation_a: PhaseAmps | None = None
    """What generation and storage below its meter may feed in at most; None: there is none."""
    generation_credit: bool = False
    """Whether the electrician grants that generation counts against load: it then may not trip."""
    device: ProtectiveDevice | None = None
    """What protects it; None: not told, so that no exposure is reckoned."""
    ways: int | None = None
    """Circuit positions on its board, used and spare."""
    lost: bool = False
    """Its configuration was removed while others hang on it: it goes on with its last rating until they are moved."""


class Security(StrEnum):
    """How a charge point proves who it is."""

    PLAIN = "plain"
    BASIC = "basic"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorSettings:
    """One connector of a charge point."""

    number: int
    rotation: tuple[int, ...] | None
    """Supply phase (0–2) of its L1, L2, L3; one entry: single-phase; None: unknown."""
    maximum_a: float = 32.0
    minimum_a: float = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePointSettings:
    """A charge point that was accepted."""

    charge_point_id: str
    """Stable id of ours (the subentry's)."""
    name: str
    identity: str
    """The last part of the address that it dials: its OCPP identity."""
    circuit_id: str
    connectors: tuple[ConnectorSettings, ...]
    fallback_a: float = 0.0
    fallback_automatic: bool = False
    """Whether the fallback is chosen by what fits, see `proof.with_fitting_fallbacks`; `fallback_a` is what was."""
    step_a: float = 1.0
    security: Security = Security.BASIC
    key: str | None = field(default=None, repr=False)
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorWish:
    """What users set on entities of a connector; kept in a store of its own, not in the configuration."""

    cap_a: float | None = None
    enabled: bool = True
    priority: int | None = None
    """None: as the charge point's settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """Everything that is configured of one site."""

    site_id: str
    name: str
    circuits: tuple[CircuitSettings, ...]
    """The supply first."""
    charge_points: tuple[ChargePointSettings, ...] = ()
    meters: tuple[MeterSettings, ...] = ()
    listener: ListenerSettings = ListenerSettings()
    accept_all_tags: bool = True
    """False: only the idTags of known drivers may charge."""
    validity_s: float = 30.0
    """How long a limit holds in a charger without renewal."""
    on_time_s: float = 900.0
    """How long a place is kept when the minima do not fit and places rotate."""
    restart_stagger_s: float = 60.0
    """After an outage vehicles start at random moments within so long; 0: all at once."""
