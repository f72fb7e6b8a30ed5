"""What a site is configured to be, as plain facts; Home Assistant's entry and subentries are turned into these.

`Site.apply` takes a whole `SiteSettings`, finds what changed and changes only that: nobody else notices.
Ids are stable strings (subentry ids in Home Assistant).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ..engine.exposure import ProtectiveDevice
from ..engine.model import ChargingMode, PhaseAmps, SharingRule
from ..engine.planned import USUAL_DELAY_S
from ..meters.settings import EntityMeterSettings, MeterSettings, ModbusMeterSettings, OcppMeterSettings
from ..ocpp.versions import OcppVersion
from ..tariffs.settings import TariffSettings

MAXIMUM_PRIORITY = 10
"""The highest priority of a charge point, connector, driver or session; the lowest is 0."""

__all__ = [
    "EVERY_ADDRESS",
    "MAXIMUM_PRIORITY",
    "NOTHING_CHOSEN",
    "AuthorisationMode",
    "AuthorisationSettings",
    "ChargePointSettings",
    "CircuitSettings",
    "Concurrency",
    "ConnectorSettings",
    "ConnectorWish",
    "EntityMeterSettings",
    "ListenerSettings",
    "MeterSettings",
    "ModbusMeterSettings",
    "OcppMeterSettings",
    "SatelliteSettings",
    "Security",
    "SiteSettings",
    "SiteWish",
    "TariffSettings",
    "TlsMode",
    "TlsSettings",
    "Unanswered",
]


EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - charge points are on the local network by nature


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """Where charge points dial in; sites that name the same host and port share one listener."""

    host: str = EVERY_ADDRESS
    port: int = 9000


class TlsMode(StrEnum):
    """Whose certificate this host shows to charge points."""

    NONE = "none"
    """None: what is said can be read on the network."""
    AUTHORITY = "authority"
    """One of the embedded certificate authority, renewed by itself."""
    OWN = "own"
    """The owner's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """How what charge points say is encrypted on its way."""

    mode: TlsMode = TlsMode.NONE
    certificate: str = ""
    """The owner's certificate and what stands above it: PEM, or the path of a file."""
    key: str = field(default="", repr=False)
    port: int | None = None
    """None: at the listener's port, beside plain connections where these are taken."""
    only: bool = False
    """Nobody may come unencrypted."""
    names: tuple[str, ...] = ()
    """What charge points call this host besides what it knows itself."""
    clients: bool = False
    """Every charge point has to show a certificate of its own."""
    client_authority: str | None = None
    """Whose certificates charge points may show besides those of the embedded authority: PEM, or a path."""


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
    """How a charge point has to prove who it is, at least."""

    PLAIN = "plain"
    """Not at all (security profile 0)."""
    BASIC = "basic"
    """By its key (profile 1)."""
    TLS = "tls"
    """By its key, over TLS (profile 2)."""
    CERTIFICATE = "certificate"
    """By a certificate of its own (profile 3)."""


class AuthorisationMode(StrEnum):
    """Who may charge."""

    FREE = "free"
    """Whatever is plugged in, without a card: what does not start by itself is started from here."""
    EVERYBODY = "everybody"
    """Whoever shows a card, whichever it is."""
    KNOWN = "known"
    """Known drivers."""
    KNOWN_OR_ASK = "known_or_ask"
    """Known drivers; Home Assistant decides on others."""
    ASK = "ask"
    """Home Assistant decides each time."""


class Unanswered(StrEnum):
    """Who may charge where Home Assistant was asked and has not answered in time, or cannot be asked."""

    REFUSE = "refuse"
    KNOWN = "known"
    ACCEPT = "accept"


class Concurrency(StrEnum):
    """At how many places a driver may charge at a time of whom nothing else is said."""

    ANY = "any"
    """Any number: one card may be that of several vehicles."""
    CARD = "card"
    """One for each token."""
    GROUP = "group"
    """One for all tokens of a group together, and for each that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorisationSettings:
    """Who may charge at a site."""

    mode: AuthorisationMode = AuthorisationMode.FREE
    unanswered: Unanswered = Unanswered.REFUSE
    concurrency: Concurrency = Concurrency.ANY
    time_out_s: float = 15.0
    """So long Home Assistant may take to decide; the charge point waits for it and tells nothing else meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SatelliteSettings:
    """A connector that is a post of its own and is spoken to through its master."""

    satellite_id: str
    """Stable id of ours (the subentry's)."""
    name: str
    circuit_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorSettings:
    """One connector of a charge point."""

    number: int
    rotation: tuple[int, ...] | None
    """Supply phase (0–2) of its L1, L2, L3; one entry: single-phase; None: unknown."""
    maximum_a: float = 32.0
    minimum_a: float = 6.0
    minimum_single_phase_a: float | None = None
    """While its vehicle uses one phase, where that needs more; None: the same."""
    satellite: SatelliteSettings | None = None
    """What it is called and where it hangs, where it is a satellite; None: it is part of its charge point."""


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
    """Its own, and those of its satellites where it is a master; a power management unit has none of its own."""
    fallback_a: float = 0.0
    fallback_automatic: bool = False
    """Whether the fallback is chosen by what fits, see `proof.with_fitting_fallbacks`; `fallback_a` is what was."""
    step_a: float = 1.0
    steps_a: tuple[float, ...] | None = None
    """The only currents that it knows, ascending; None: multiples of `step_a`."""
    security: Security = Security.BASIC
    key: str | None = field(default=None, repr=False)
    version: OcppVersion | None = None
    """The only version of OCPP to speak with it; None: the best that it offers."""
    priority: int = 0
    authorisation: AuthorisationMode | None = None
    """Who may charge here; None: as at the site."""
    switches_phases: bool = False
    """Whether it can be told to use one phase instead of three: its connectors with three known phases are."""

    @property
    def own_connectors(self) -> tuple[ConnectorSettings, ...]:
        """Return the connectors that are part of it."""
        return tuple(connector for connector in self.connectors if connector.satellite is None)

    @property
    def circuits(self) -> frozenset[str]:
        """Return the circuits that its connectors hang on, and its own."""
        return frozenset({self.circuit_id, *(self.circuit_of(connector) for connector in self.connectors)})

    def circuit_of(self, connector: ConnectorSettings) -> str:
        """Return the circuit that feeds a connector."""
        return self.circuit_id if connector.satellite is None else connector.satellite.circuit_id

    def called(self, connector: ConnectorSettings) -> str:
        """Return what a connector is called: as its charge point where that has no other of its own."""
        if connector.satellite is not None:
            return connector.satellite.name
        return self.name if len(self.own_connectors) == 1 else f"{self.name} ({connector.number})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorWish:
    """What users set on entities of a connector; kept in a store of its own, not in the configuration."""

    cap_a: float | None = None
    enabled: bool = True
    priority: int | None = None
    """None: as the charge point's settings."""
    mode: ChargingMode | None = None
    """None: as the site's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteWish:
    """What users set on entities of the site: what holds where a connector and a driver say nothing else."""

    mode: ChargingMode = ChargingMode.NORMAL
    leave_by_s: float = 17.5 * 3600.0
    """When vehicles leave, as seconds after the local midnight."""
    energy_wh: float = 30_000.0
    """How much they take, of the whole session."""
    delay_s: float = USUAL_DELAY_S
    """By so long at most begins at random what a tariff or plan lets begin; 0: at once."""


NOTHING_CHOSEN = SiteWish()


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """Everything that is configured of one site."""

    site_id: str
    name: str
    circuits: tuple[CircuitSettings, ...]
    """The supply first."""
    charge_points: tuple[ChargePointSettings, ...] = ()
    meters: tuple[MeterSettings, ...] = ()
    tariffs: tuple[TariffSettings, ...] = ()
    listener: ListenerSettings = ListenerSettings()
    tls: TlsSettings = TlsSettings()
    authorisation: AuthorisationSettings = AuthorisationSettings()
    validity_s: float = 30.0
    """How long a limit holds in a charger without renewal."""
    on_time_s: float = 900.0
    """How long a place is kept when the minima do not fit and places rotate."""
    restart_stagger_s: float = 60.0
    """After an outage vehicles start at random moments within so long; 0: all at once."""

    def mode_at(self, point: ChargePointSettings) -> AuthorisationMode:
        """Return who may charge at a charge point."""
        return self.authorisation.mode if point.authorisation is None else point.authorisation
