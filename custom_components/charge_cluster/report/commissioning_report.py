"""The commissioning report of a site: what it is configured to be, what was tested, what is open, and lines to sign.

It tells what the system knows and what it cannot know; that it is right is what the person says who signs it.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from ..engine.exposure import DeviceKind, ProtectiveDevice
from ..engine.model import PhaseAmps
from ..site.commissioning.facts import rotation_key, rotation_text
from ..site.commissioning.findings import CHARGE_POINT_TESTS, METER_TESTS, CommissioningTest, Finding, Verdict
from ..site.exposure import ExposureView, device_text
from ..site.proof import margin_of
from ..site.settings import (
    ChargePointSettings,
    CircuitSettings,
    ConnectorSettings,
    EntityMeterSettings,
    MeterSettings,
    ModbusMeterSettings,
    OcppMeterSettings,
)
from ..site.views import CircuitView, connector_key
from .facts import ReportFacts
from .finding_words import NOT_KNOWN, FindingWords
from .sheet import Column, Row, Sheet

UNSEEN = ("transformer", "frozen", "ratio", "rotation", "rating", "hidden_load", "forgotten_fallback", "inverter")
"""Faults that nobody can see from inside, as the translations name them; docs/safety.md argues each of them."""

TO_SIGN = ("name", "company", "date", "signature")
TO_TAKE_OVER = ("name", "date", "signature")
SIGNED_MM = 75.0
"""What is signed stands on one page with where it is signed."""


def commissioning_report(facts: ReportFacts, words: Mapping[str, str]) -> bytes:
    """Return the report as a PDF file.

    Args:
        facts: the site.
        words: those of the category "common" of the translations, by their keys.

    The same facts and words give the same bytes.
    """
    return _Writer(facts, words).write()


class _Writer:
    """Writes one report."""

    def __init__(self, facts: ReportFacts, words: Mapping[str, str]) -> None:
        self._facts = facts
        self._words = words
        self._of_findings = FindingWords(words)
        self._sheet = Sheet(
            title=f"{self._say('title')}: {facts.settings.name}",
            foot=f"{facts.settings.name} · {self._moment(facts.made_at)} · {self._say('not_protective_short')}",
            page=self._say("page", page="{page}", pages="{pages}"),
            made_at=facts.made_at,
        )

    def write(self) -> bytes:
        self._beginning()
        self._circuits()
        self._charge_points()
        self._meters()
        self._exposures()
        self._problems()
        self._unseen()
        self._signatures()
        self._fonts()
        return self._sheet.finish()

    # Parts ---------------------------------------------------------------------------------------------------------

    def _beginning(self) -> None:
        settings, sheet = self._facts.settings, self._sheet
        sheet.title(self._say("title"), settings.name)
        sheet.pairs(
            [
                (self._say("made"), f"{self._moment(self._facts.made_at)} ({self._facts.made_at.tzname()})"),
                (self._say("software"), self._facts.software),
                (self._say("circuits"), str(len(settings.circuits))),
                (self._say("charge_points"), self._counted_points()),
                (self._say("meters"), str(len(settings.meters))),
                (self._say("tests"), self._counted_tests()),
                (self._say("to_mend"), str(len(self._facts.to_mend))),
            ]
        )
        sheet.space(2.0)
        sheet.paragraph(self._say("not_protective"), style="B")

    def _counted_points(self) -> str:
        points = self._facts.settings.charge_points
        return self._say("points_and_connectors", points=len(points), connectors=sum(len(p.connectors) for p in points))

    def _counted_tests(self) -> str:
        findings = [finding for found in self._facts.findings.values() for finding in found]
        held = [finding for finding in findings if not finding.outdated]
        wanted = sum(len(point.connectors) for point in self._facts.settings.charge_points) * len(CHARGE_POINT_TESTS)
        wanted += len(self._facts.settings.meters) * len(METER_TESTS)
        return self._say(
            "counted_tests",
            passed=sum(finding.verdict is Verdict.PASSED for finding in held),
            failed=sum(finding.verdict is Verdict.FAILED for finding in held),
            inconclusive=sum(finding.verdict is Verdict.INCONCLUSIVE for finding in held),
            outdated=len(findings) - len(held),
            missing=wanted - len(findings),
        )

    def _circuits(self) -> None:
        self._sheet.heading(self._say("circuits"))
        self._sheet.paragraph(self._say("circuits_explained"))
        columns = self._columns(
            circuit=42, rating=28, margin=17, base_load=29, if_all_dies=32, fits=17, reaction_time=15
        )
        self._sheet.table(columns, (self._circuit_row(circuit) for circuit in self._facts.settings.circuits))

    def _circuit_row(self, circuit: CircuitSettings) -> Row:
        view = self._facts.circuits.get(circuit.circuit_id)
        declared = circuit.declared_base_load_a
        return Row(
            cells=(
                circuit.name,
                self._amps(circuit.rating_a),
                _unit(margin_of(circuit), "A"),
                self._say("not_declared") if declared is None else self._amps(declared),
                NOT_KNOWN if view is None else self._amps(view.if_all_dies_a),
                NOT_KNOWN if view is None else self._yes_or_no(yes=view.fallback_fits),
                NOT_KNOWN if view is None else _unit(view.reaction_time_s, "s"),
            ),
            strong=frozenset({0} if view is None or view.fallback_fits else {0, 4, 5}),
            note="; ".join(self._more_of(circuit, view)),
        )

    def _more_of(self, circuit: CircuitSettings, view: CircuitView | None) -> Iterator[str]:
        """Yield what else is configured of a circuit."""
        parent = None if circuit.parent_id is None else self._facts.circuit(circuit.parent_id)
        if parent is not None:
            yield self._say("fed_by", circuit=parent.name)
        yield self._say("no_device") if circuit.device is None else self._device(circuit.device)
        if circuit.neutral_a is not None:
            yield self._say("neutral", amps=_figure(circuit.neutral_a))
        if circuit.unbalance_a is not None:
            yield self._say("unbalance", amps=_figure(circuit.unbalance_a))
        if circuit.power_kva is not None:
            yield self._say("power", kva=_figure(circuit.power_kva))
        if circuit.demand_kw is not None:
            yield self._say("demand", kw=_figure(circuit.demand_kw), minutes=circuit.demand_window_min)
        if circuit.generation_a is not None:
            granted = "generation_credited" if circuit.generation_credit else "generation"
            yield self._say(granted, amps=self._amps(circuit.generation_a))
        if circuit.ways is not None:
            yield self._say("ways", ways=circuit.ways)
        if circuit.lost:
            yield self._say("lost")
        for cap in () if view is None else view.caps:
            most = _unit(cap.amps, "A") if cap.watts is None else _unit(cap.watts / 1000.0, "kW")
            yield self._say("capped", most=most, source=self._source(cap.source))

    def _device(self, device: ProtectiveDevice) -> str:
        if device.kind is not DeviceKind.MCCB:
            return self._say("device", device=device_text(device))
        return self._say(
            "device_with_settings",
            device=device_text(device),
            long_delay=_figure(device.long_delay_s),
            short_pickup=_figure(device.short_pickup),
            short_delay=_figure(device.short_delay_s),
            instantaneous=_figure(device.instantaneous),
        )

    def _source(self, source: str) -> str:
        return self._words.get(f"cap_by_{source}", source)

    def _charge_points(self) -> None:
        self._sheet.heading(self._say("charge_points"))
        points = self._facts.settings.charge_points
        if not points:
            self._sheet.paragraph(self._say("nothing_here"))
        for point in points:
            self._charge_point(point)

    def _charge_point(self, point: ChargePointSettings) -> None:
        self._sheet.subheading(self._say("called", name=point.name, identity=point.identity))
        view = self._facts.charge_points.get(point.charge_point_id)
        identity = None if view is None else view.identity
        circuit = self._facts.circuit(point.circuit_id)
        told = [] if identity is None else [identity.vendor, identity.model]
        self._sheet.paragraph(
            self._say(
                "charge_point",
                device=" ".join(word for word in told if word) or NOT_KNOWN,
                serial=(identity and identity.serial) or NOT_KNOWN,
                firmware=(identity and identity.firmware) or NOT_KNOWN,
                circuit=NOT_KNOWN if circuit is None else circuit.name,
                online=self._yes_or_no(yes=view is not None and view.online),
            )
        )
        for connector in point.connectors:
            self._connector(point, connector)

    def _connector(self, point: ChargePointSettings, connector: ConnectorSettings) -> None:
        key = connector_key(point.charge_point_id, connector.number)
        view = self._facts.connectors.get(key)
        confirmed = view is not None and view.fallback_confirmed
        rotation = rotation_text(rotation_key(connector.rotation))
        figures = {
            "number": str(connector.number),
            "rotation": self._say("rotation_unknown") if connector.rotation is None else rotation,
            "maximum": _figure(connector.maximum_a),
            "minimum": _figure(connector.minimum_a),
            "fallback": _figure(point.fallback_a),
            "confirmed": self._say("confirmed" if confirmed else "not_confirmed"),
        }
        if connector.satellite is None:
            self._sheet.paragraph(self._say("connector", **figures))
        else:
            circuit = self._facts.circuit(connector.satellite.circuit_id)
            told = {"name": connector.satellite.name, "master": point.name}
            told["circuit"] = NOT_KNOWN if circuit is None else circuit.name
            self._sheet.paragraph(self._say("satellite", **told, **figures))
        self._findings(key, CHARGE_POINT_TESTS)

    def _meters(self) -> None:
        self._sheet.heading(self._say("meters"))
        meters = self._facts.settings.meters
        if not meters:
            self._sheet.paragraph(self._say("nothing_here"))
        for meter in meters:
            self._meter(meter)

    def _meter(self, meter: MeterSettings) -> None:
        circuit = self._facts.circuit(meter.circuit_id)
        timeout = meter.timeout_s
        self._sheet.subheading(meter.name)
        self._sheet.paragraph(
            self._say(
                "meter",
                circuit=NOT_KNOWN if circuit is None else circuit.name,
                source=self._meter_source(meter),
                scope=self._words.get(f"figure_{meter.scope}", meter.scope.value),
                ratio=f"{meter.ratio:g}",
                inverted=self._yes_or_no(yes=_is_inverted(meter)),
                timeout=self._say("timeout_learned") if timeout is None else _unit(timeout, "s"),
            )
        )
        self._findings(meter.meter_id, METER_TESTS)

    def _meter_source(self, meter: MeterSettings) -> str:
        source = meter.source
        if isinstance(source, ModbusMeterSettings):
            return self._say(
                "over_modbus", host=source.host, port=source.port, unit=source.unit, profile=source.profile
            )
        if isinstance(source, OcppMeterSettings):
            points = {point.charge_point_id: point.name for point in self._facts.settings.charge_points}
            return self._say("of_charge_point", charge_point=points.get(source.charge_point_id, NOT_KNOWN))
        return self._say("of_entities", entities=", ".join(source.currents or source.powers or ()))

    def _exposures(self) -> None:
        known = [
            (circuit, view.exposure)
            for circuit in self._facts.settings.circuits
            if (view := self._facts.circuits.get(circuit.circuit_id)) is not None and view.exposure is not None
        ]
        if not known:
            return
        self._sheet.heading(self._say("exposure"))
        self._sheet.paragraph(self._say("exposure_explained"))
        columns = self._columns(
            circuit=40, protective_device=24, share_now=22, share_day=24, above_window=24, above_day=24, unknown=22
        )
        self._sheet.table(columns, (self._exposure_row(circuit, exposure) for circuit, exposure in known))

    def _exposure_row(self, circuit: CircuitSettings, exposure: ExposureView) -> Row:
        share = exposure.share_percent
        return Row(
            cells=(
                circuit.name,
                exposure.device or NOT_KNOWN,
                NOT_KNOWN if share is None else f"{share} %",
                NOT_KNOWN if exposure.device is None else f"{exposure.day_percent} %",
                f"{exposure.above_s} s, {exposure.above_as} As",
                f"{exposure.day_above_s} s, {exposure.day_above_as} As",
                f"{exposure.unknown_s} s",
            ),
            strong=frozenset({0}),
        )

    def _problems(self) -> None:
        self._sheet.heading(self._say("to_mend"))
        if not self._facts.to_mend:
            self._sheet.paragraph(self._say("nothing_to_mend"))
        for problem in self._facts.to_mend:
            self._sheet.subheading(problem.title, followed_by=15.0)
            self._sheet.paragraph(problem.text)

    def _unseen(self) -> None:
        self._sheet.heading(self._say("unseen"))
        self._sheet.paragraph(self._say("unseen_explained"))
        for fault in UNSEEN:
            self._sheet.item(self._say(f"unseen_{fault}"))

    def _signatures(self) -> None:
        self._sheet.heading(self._say("tested_by"), followed_by=SIGNED_MM)
        self._sheet.paragraph(self._say("tested_by_explained"))
        self._sheet.lines_to_sign([self._say(f"sign_{name}") for name in TO_SIGN])
        self._sheet.subheading(self._say("taken_over_by"), followed_by=SIGNED_MM)
        self._sheet.lines_to_sign([self._say(f"sign_{name}") for name in TO_TAKE_OVER])

    def _fonts(self) -> None:
        """Say what the fonts could not show."""
        characters = self._sheet.characters
        notes = [(characters.simplified, "simplified"), (characters.missing, "missing")]
        said = [self._say(note) for happened, note in notes if happened]
        if said:
            self._sheet.space(6.0)
            self._sheet.paragraph(" ".join(said), style="I")

    # Findings ------------------------------------------------------------------------------------------------------

    def _findings(self, subject: str, tests: Iterable[CommissioningTest]) -> None:
        found = {finding.test: finding for finding in self._facts.findings.get(subject, ())}
        if not found:
            self._sheet.paragraph(self._say("not_tested"), style="I")
            return
        columns = self._columns(test=36, verdict=26, found=73, date=25, firmware=20)
        self._sheet.table(columns, (self._finding_row(test, found.get(test)) for test in tests))

    def _finding_row(self, test: CommissioningTest, finding: Finding | None) -> Row:
        named = self._of_findings.test(test)
        if finding is None:
            return Row(cells=(named, self._say("test_missing"), "", "", ""))
        verdict = self._of_findings.verdict(finding.verdict)
        return Row(
            cells=(
                named,
                self._say("outdated", verdict=verdict) if finding.outdated else verdict,
                self._of_findings.sentence(finding),
                self._moment(datetime.fromtimestamp(finding.at, UTC)),
                finding.firmware or NOT_KNOWN,
            ),
            strong=frozenset({1} if finding.verdict is Verdict.FAILED or finding.outdated else ()),
        )

    # Words ---------------------------------------------------------------------------------------------------------

    def _say(self, key: str, **placeholders: str | int) -> str:
        return self._words[f"report_{key}"].format(**placeholders)

    def _columns(self, **widths: float) -> list[Column]:
        return [Column(head=self._say(f"column_{name}"), width=width) for name, width in widths.items()]

    def _yes_or_no(self, *, yes: bool) -> str:
        return self._say("yes" if yes else "no")

    def _moment(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._facts.made_at.tzinfo):%Y-%m-%d %H:%M}"

    def _amps(self, amps: PhaseAmps) -> str:
        """Return one figure where all phases of the site have the same."""
        each = [_figure(amps[phase]) for phase in self._facts.phases]
        return f"{each[0] if len(set(each)) == 1 else ' / '.join(each)} A"


def _is_inverted(meter: MeterSettings) -> bool:
    return meter.inverted or (isinstance(meter.source, EntityMeterSettings) and meter.source.inverted)


def _figure(figure: float) -> str:
    return f"{round(figure, 1):g}"


def _unit(figure: float | None, unit: str) -> str:
    return NOT_KNOWN if figure is None else f"{_figure(figure)} {unit}"
