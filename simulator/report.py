"""What happened at the simulated site, as plain figures that can be written as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence

from .charge_point import ChargePoint
from .episodes import LOST_A, Episode
from .meter import SimulatedMeter
from .physics import SiteTruth
from .scenario import Scenario

PHASE_NAMES = ("L1", "L2", "L3")

type Figures = dict[str, object]


def report_of(
    scenario: Scenario,
    truth: SiteTruth,
    charge_points: Mapping[str, ChargePoint],
    meters: Mapping[str, SimulatedMeter],
    episodes: Sequence[Episode] = (),
) -> Figures:
    """Return the whole account of a simulation up to now."""
    truth.settle_sessions()
    counts: Counter[str] = Counter()
    for point in charge_points.values():
        counts.update(point.tally)
    return {
        "scenario": scenario.name,
        "elapsed_s": round(truth.now, 3),
        "circuits": {circuit.circuit_id: _circuit(truth, circuit.circuit_id) for circuit in scenario.circuits},
        "sessions": _sessions(truth),
        "energy": _energy(truth),
        "faults": [_fault(episode, truth.now) for episode in episodes],
        "charge_points": {identity: _charge_point(point) for identity, point in charge_points.items()},
        "meters": {meter_id: _meter(meter) for meter_id, meter in meters.items()},
        "counts": dict(sorted(counts.items())),
    }


def _circuit(truth: SiteTruth, circuit_id: str) -> Figures:
    account = truth.accounts[circuit_id]
    return {
        "phases": {name: phase.report() for name, phase in zip(PHASE_NAMES, account.phases, strict=True)},
        "now_a": [round(amps, 3) for amps in truth.amps(circuit_id)],
        "imported_kwh": round(sum(account.imported_wh) / 1000.0, 4),
        "exported_kwh": round(sum(account.exported_wh) / 1000.0, 4),
    }


def _sessions(truth: SiteTruth) -> list[Figures]:
    return [
        {
            "car": session.car,
            "outlet": session.outlet_id,
            "phases": session.phases,
            "plugged_at_s": round(session.plugged_at, 1),
            "first_current_at_s": None if session.first_current_at is None else round(session.first_current_at, 1),
            "unplugged_at_s": None if session.unplugged_at is None else round(session.unplugged_at, 1),
            "wanted_kwh": round(session.wanted_wh / 1000.0, 4),
            "delivered_kwh": round(session.delivered_wh / 1000.0, 4),
            "sated": session.sated,
            "starts": session.starts,
            "phase_switches": session.phase_switches,
        }
        for session in truth.sessions
    ]


def _energy(truth: SiteTruth) -> Figures:
    wanted = sum(session.wanted_wh for session in truth.sessions)
    delivered = sum(session.delivered_wh for session in truth.sessions)
    return {
        "wanted_kwh": round(wanted / 1000.0, 4),
        "delivered_kwh": round(delivered / 1000.0, 4),
        "sessions": len(truth.sessions),
    }


def _fault(episode: Episode, now: float) -> Figures:
    ended_at = now if episode.ended_at is None else episode.ended_at
    return {
        "kind": episode.kind,
        "target": episode.target,
        "began_at_s": round(episode.began_at, 1),
        "mended_at_s": None if episode.mended_at is None else round(episode.mended_at, 1),
        "ended_at_s": round(ended_at, 1),
        "circuits": {
            circuit_id: {
                "phases": {name: phase.report() for name, phase in zip(PHASE_NAMES, account.phases, strict=True)}
            }
            for circuit_id, account in episode.circuits.items()
        },
        "lost": {
            outlet_id: {
                "before_a": round(loss.before_a, 1),
                "least_a": round(loss.least_a, 1),
                "lost_kwh": round(loss.lost_wh / 1000.0, 4),
                "paused_s": round(loss.paused_s, 1),
            }
            for outlet_id, loss in episode.outlets.items()
            if loss.before_a - loss.least_a > LOST_A
        },
    }


def _charge_point(point: ChargePoint) -> Figures:
    return {
        "registration": str(point.conversation.registration),
        "connected": point.connected,
        "powered": point.powered,
        "stored_messages": point.conversation.stored_messages,
        "connectors": {
            str(number): {
                "status": str(connector.status),
                "offered_a": connector.outlet.offered_a,
                "drawn_a": [round(amps, 2) for amps in connector.outlet.drawn],
                "transaction_id": connector.transaction_id,
            }
            for number, connector in point.connectors.items()
        },
        "counts": dict(sorted(point.tally.items())),
    }


def _meter(meter: SimulatedMeter) -> Figures:
    return {"port": meter.server.port, "unit": meter.spec.unit, "counts": dict(meter.server.tally)}
