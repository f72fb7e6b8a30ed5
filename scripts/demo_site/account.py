"""How a run went: what truly flowed, what the cars got, what Home Assistant did and logged; was a ceiling broken?

The physical truth is the simulator's. A ceiling is broken by charging when current stays above a rating that base load
alone keeps, for longer than a rise of the base load can explain.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from simulator.building import LoadProgramme
from simulator.scenario import Scenario

from .figures import records_of
from .stage import Stage

type Account = dict[str, Any]

REACTION_S = 20.0
"""How long a jump of the base load may last above a rating: a meter sample is up to 1.5 s old, an order is carried out
within 1 s, and cars follow their pilot signal within 12 s; a charge point that does not answer costs another second."""

RISE_A = 2.0
"""A base load that rises by less than this stays within the margin below every rating."""

SLOW_RISE_S = 60.0
"""One that takes longer than this can be followed."""

OURS = ("custom_components.charge_cluster", "custom_components/charge_cluster")
"""Our loggers, and our files in a traceback."""

NOT_OURS_TO_MEND = "has not been tested by Home Assistant"
"""It warns so of every custom integration."""

BEGINS = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ (?P<level>[A-Z]+) ")
"""The first line of a log record."""

LINES_KEPT = 60


async def account_of(stage: Stage) -> Account:
    """Return the account of the run up to now."""
    truth = stage.simulated.report()
    errors, warnings = errors_logged(stage.home_assistant.log_lines())
    return {
        "scenario": stage.scenario.name,
        "elapsed_s": truth["elapsed_s"],
        "circuits": {
            circuit.circuit_id: {"name": circuit.name, **_circuit(truth, stage.scenario, circuit.circuit_id)}
            for circuit in stage.scenario.circuits
        },
        "sessions": truth["sessions"],
        "energy": truth["energy"],
        "counts": _counts(truth),
        "home_assistant": {
            **await records_of(stage.client, stage.site),
            "log_errors": errors,
            "log_warnings": warnings,
        },
        "truth": {name: truth[name] for name in ("charge_points", "meters", "counts")},
    }


def faults_of(account: Account) -> list[str]:
    """Return the ceilings that charging broke, in words."""
    return [
        f"{circuit['name']} {phase}: {figures['by_charging_s']:.1f} s above {figures['rating_a']:g} A because of"
        f" charging ({figures['highest_a']:.1f} A at most, {figures['by_charging_longest_s']:.1f} s at a stretch,"
        f" {circuit['explained_s']:.0f} s explained by jumps of the base load)"
        for circuit in account["circuits"].values()
        for phase, figures in circuit["phases"].items()
        if figures["by_charging_s"] > circuit["explained_s"] or figures["by_charging_longest_s"] > REACTION_S
    ]


def _circuit(truth: Any, scenario: Scenario, circuit_id: str) -> Account:
    count = sum(
        jumps(circuit.load, truth["elapsed_s"])
        for circuit in scenario.circuits
        if circuit_id in _upwards(scenario, circuit.circuit_id)
    )
    phases = truth["circuits"][circuit_id]["phases"]
    return {
        "jumps_of_base_load": count,
        "explained_s": count * REACTION_S,
        "phases": {
            name: {
                "rating_a": phase["rating_a"],
                "highest_a": phase["highest_a"],
                "highest_base_load_a": phase["highest_base_load_a"],
                "highest_charging_a": phase["highest_charging_a"],
                "above_s": phase["above_s"],
                "above_as": phase["above_as"],
                "by_charging_s": phase["charging_s"],
                "by_charging_as": phase["charging_as"],
                "by_charging_longest_s": phase["charging_longest_s"],
                "by_base_load_alone_s": phase["base_load_s"],
                "by_base_load_alone_as": phase["base_load_as"],
            }
            for name, phase in phases.items()
        },
    }


def _upwards(scenario: Scenario, circuit_id: str) -> Iterator[str]:
    parents = {circuit.circuit_id: circuit.parent_id for circuit in scenario.circuits}
    above: str | None = circuit_id
    while above is not None:
        yield above
        above = parents[above]


def jumps(load: LoadProgramme, elapsed_s: float) -> int:
    """Return how often a load rose faster than it can be followed."""
    rounds = 1 if load.repeat_s is None else int(elapsed_s // load.repeat_s) + 1
    changes = [
        replace(change, at_s=change.at_s + number * (load.repeat_s or 0.0))
        for number in range(rounds)
        for change in load.changes
    ]
    return sum(
        change.at_s <= elapsed_s
        and change.over_s < SLOW_RISE_S
        and max(after - before for before, after in zip(earlier.amps, change.amps, strict=True)) > RISE_A
        for earlier, change in pairwise(changes)
    )


def _counts(truth: Any) -> Account:
    tally = truth["counts"]
    return {
        "sessions": truth["energy"]["sessions"],
        "sessions_sated": sum(session["sated"] for session in truth["sessions"]),
        "sessions_without_current": sum(session["first_current_at_s"] is None for session in truth["sessions"]),
        "charge_points": len(truth["charge_points"]),
        "charge_points_online": sum(point["connected"] for point in truth["charge_points"].values()),
        "limits_received": tally.get("received SetChargingProfile", 0),
        "calls_unanswered": tally.get("unanswered", 0),
        "errors_received": tally.get("errors received", 0),
    }


def errors_logged(lines: Iterable[str]) -> tuple[list[str], int]:
    """Return the errors and the number of warnings about us; a traceback through our code counts, whoever logged it."""
    ours = [record for record in _records(lines) if any(word in record.text for word in OURS)]
    errors = [record.text for record in ours if record.level in {"ERROR", "CRITICAL"}]
    return errors, sum(record.level == "WARNING" and NOT_OURS_TO_MEND not in record.text for record in ours)


@dataclass(frozen=True, slots=True)
class _Record:
    level: str
    text: str


def _records(lines: Iterable[str]) -> Iterator[_Record]:
    """Yield what was logged, each with the lines that follow it, up to a bound."""
    level, text = "", list[str]()
    for line in lines:
        begins = BEGINS.match(line)
        if begins is not None:
            yield _Record(level, "\n".join(text))
            level, text = begins["level"], []
        if len(text) < LINES_KEPT:
            text.append(line)
    yield _Record(level, "\n".join(text))
