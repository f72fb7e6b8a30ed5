"""What a commissioning report tells of a site: its settings, its state and its findings at one moment.

Taken at once from a running site, so that the report can then be written elsewhere and is of one piece.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ..site.commissioning.findings import Finding
from ..site.settings import CircuitSettings, SiteSettings
from ..site.site import Site
from ..site.views import ChargePointView, CircuitView, ConnectorView, connector_key


@dataclass(frozen=True, slots=True, kw_only=True)
class ToMend:
    """A problem that is open, in words."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """A site at one moment."""

    settings: SiteSettings
    phases: tuple[int, ...]
    """Those that its supply has."""
    circuits: Mapping[str, CircuitView]
    charge_points: Mapping[str, ChargePointView]
    connectors: Mapping[str, ConnectorView]
    findings: Mapping[str, tuple[Finding, ...]]
    """By connector key or meter id, the newest of each test."""
    to_mend: tuple[ToMend, ...]
    made_at: datetime
    """With the time zone that times are shown in."""
    software: str
    """Names and versions of what wrote it."""

    def circuit(self, circuit_id: str) -> CircuitSettings | None:
        """Return the settings of a circuit; None: there is none."""
        return next((circuit for circuit in self.settings.circuits if circuit.circuit_id == circuit_id), None)


def facts_of(
    site: Site, *, phases: tuple[int, ...], to_mend: Iterable[ToMend], made_at: datetime, software: str
) -> ReportFacts:
    """Return what a report tells of a site now."""
    settings = site.settings
    subjects = [
        connector_key(point.charge_point_id, connector.number)
        for point in settings.charge_points
        for connector in point.connectors
    ]
    subjects += [meter.meter_id for meter in settings.meters]
    return ReportFacts(
        settings=settings,
        phases=phases,
        circuits=dict(site.circuits),
        charge_points=dict(site.charge_points),
        connectors=dict(site.connectors),
        findings={subject: site.findings(subject) for subject in subjects},
        to_mend=tuple(to_mend),
        made_at=made_at,
        software=software,
    )
