"""How a run went: what truly flowed, what the cars got, what Home Assistant did and logged; was a ceiling broken?

The physical truth is the simulator's. A ceiling is broken by charging when current stays above a rating that base load
alone keeps, for longer than a rise of the base load can explain.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from simulator.building import LoadProgramme
from simulator.scenario import EVERYTHING, FaultKind, Scenario

from .figures import records_of
from .stage import Stage

type Account = dict[str, Any]

REACTION_S = 20.0
"""How long a jump of the base load may last above a rating: a meter sample is up to 1.5 s old, an order is carried out
within 1 s, and cars follow their pilot signal within 12 s; a charge point that does not answer costs another second."""

NOTICED_S = 30.0
"""A charge point that does not do what it accepted is noticed within this (or two of its sample intervals)."""

METER_TIMEOUT_S = 10.0
"""A meter that says nothing is stale after this."""

CUT_OFF_S = 50.0
"""What cannot be told anything goes on for the validity of its limit (30 s) and the error of its clock, and its car
follows."""

PROMISED_BEYOND_S = {
    FaultKind.IGNORES_LIMITS: NOTICED_S,
    FaultKind.METER_SILENT: METER_TIMEOUT_S,
    FaultKind.METER_LATE: METER_TIMEOUT_S,
    FaultKind.METER_DOWN: METER_TIMEOUT_S,
    FaultKind.METER_CLOSES: METER_TIMEOUT_S,
    FaultKind.METER_FROZEN: CUT_OFF_S,
}
"""How much longer than the reaction time a fault may keep current above a rating; others nothing
(docs/safety.md, docs/benchmarks.md). A frozen meter is seen when our own cars step."""

OURS = ("custom_components.charge_cluster", "custom_components/charge_cluster")
"""Our loggers, and our files in a traceback."""

NOT_OURS_TO_MEND = "has not been tested by Home Assistant"
"""It warns so of every custom integration."""

BEGINS = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ (?P<level>[A-Z]+) ")
"""The first line of a log record."""

LINES_KEPT = 60


async def account_of(stage: Stage) -> Account:
    """Return the account of the run up to now."""
    truth: Account = stage.simulated.report()
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
        **({} if stage.prices is None else {"prices": await stage.prices.account()}),
        "faults": [_fault(fault) for fault in truth["faults"]],
        "counts": _counts(truth),
        "home_assistant": {
            **await records_of(stage.client, stage.site),
            "log_errors": errors,
            "log_warnings": warnings,
        },
        "truth": {name: truth[name] for name in ("charge_points", "meters", "counts")},
    }


def faults_of(account: Account) -> list[str]:
    """Return the ceilings that charging broke, in words: in the time of a fault, and all in all."""
    return [*_broken_in_faults(account), *_broken_all_in_all(account)]


def _broken_in_faults(account: Account) -> Iterator[str]:
    for fault in account.get("faults", ()):
        if fault["over_longest_s"] > fault["promised_s"]:
            yield (
                f"{fault['kind']} at {fault['target']}, {fault['began_at_s']:.0f} s: {fault['over_longest_s']:.1f} s"
                f" at a stretch above a rating ({fault['highest_a']:.1f} A), promised are {fault['promised_s']:.0f} s"
            )


def _broken_all_in_all(account: Account) -> Iterator[str]:
    beyond = [fault["promised_s"] - REACTION_S for fault in account.get("faults", ())]
    longest = REACTION_S + max(beyond, default=0.0)
    for circuit in account["circuits"].values():
        explained_s = circuit["explained_s"] + sum(beyond)
        for phase, figures in circuit["phases"].items():
            if figures["by_charging_s"] > explained_s or figures["by_charging_longest_s"] > longest:
                yield (
                    f"{circuit['name']} {phase}: {figures['by_charging_s']:.1f} s above {figures['rating_a']:g} A"
                    f" because of charging ({figures['highest_a']:.1f} A at most,"
                    f" {figures['by_charging_longest_s']:.1f} s at a stretch,"
                    f" {explained_s:.0f} s explained by jumps of the base load and by faults)"
                )


def _fault(truth: Any) -> Account:
    """Return what was drawn in the time of a fault, by the phase on which it was worst, and who lost what."""
    phases = [phase for circuit in truth["circuits"].values() for phase in circuit["phases"].values()]
    worst = max(phases, key=lambda phase: (phase["charging_longest_s"], phase["above_as"], phase["highest_a"]))
    return {
        "kind": truth["kind"],
        "target": truth["target"],
        "began_at_s": truth["began_at_s"],
        "ended_at_s": truth["ended_at_s"],
        "promised_s": REACTION_S + PROMISED_BEYOND_S.get(truth["kind"], 0.0),
        "over_s": worst["above_s"],
        "over_as": worst["above_as"],
        "over_longest_s": worst["charging_longest_s"],
        "highest_a": worst["highest_a"],
        "rating_a": worst["rating_a"],
        "lost": truth["lost"],
    }


SESSIONS_HEADER = ("car", "outlet", "wanted kWh", "delivered kWh", "share", "starts", "phase switches")
SESSIONS_SHOWN = 60

HEADER = ("at", "fault", "of", "promised", "above", "A·s above", "highest", "lost by the cars")


def table_of(account: Account) -> list[str]:
    """Return the faults as lines of a table; nothing where there were none."""
    if not account["faults"]:
        return []
    return _lines([HEADER, *(_row(fault) for fault in account["faults"])])


def sessions_of(account: Account) -> list[str]:
    """Return the sessions as lines of a table, with what each car wanted and got; nothing where there were none."""
    sessions = account["sessions"]
    if not sessions:
        return []
    rows = _lines([SESSIONS_HEADER, *(_session_row(session) for session in sessions[:SESSIONS_SHOWN])])
    if len(sessions) > SESSIONS_SHOWN:
        rows.append(f"… and {len(sessions) - SESSIONS_SHOWN} more")
    wanted, delivered = account["energy"]["wanted_kwh"], account["energy"]["delivered_kwh"]
    starts = sum(session["starts"] for session in sessions) / len(sessions)
    rows.append(f"{delivered:.1f} of {wanted:.1f} kWh wanted, {starts:.1f} starts a session")
    return rows


def prices_of(account: Account) -> list[str]:
    """Return what charging by price came to as lines; nothing where there were no prices."""
    prices = account.get("prices")
    if prices is None:
        return []
    by_price = ", ".join(f"{kwh:.1f} kWh at {price}" for price, kwh in prices["energy_kwh_by_price"].items())
    share = prices["taken_as_planned_share"] or 0.0
    kept = f"{by_price} {prices['currency']}/kWh; {100.0 * share:.0f} % of it while the plan said so"
    cost = f"cost {prices['told_cost']:.2f} (truly {prices['true_cost']:.2f}, first expected"
    saving = f"saving against charging at once {prices['told_saving']:.2f} (first expected"
    return [
        kept,
        f"{cost} {prices['first_expected_cost']:.2f}), {saving} {prices['first_expected_saving']:.2f})",
    ]


def _session_row(session: Any) -> tuple[str, ...]:
    wanted, delivered = session["wanted_kwh"], session["delivered_kwh"]
    share = "–" if wanted <= 0.0 else f"{100.0 * delivered / wanted:.0f} %"
    return (
        session["car"],
        session["outlet"],
        f"{wanted:.1f}",
        f"{delivered:.1f}",
        share,
        str(session["starts"]),
        str(session["phase_switches"]),
    )


def _lines(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the rows of a table, its header first, as lines."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows.insert(1, tuple("─" * width for width in widths))
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(fault: Account) -> tuple[str, ...]:
    lost = fault["lost"].values()
    paused = sum(one["paused_s"] > 0.0 for one in lost)
    kwh = sum(one["lost_kwh"] for one in lost)
    return (
        f"{fault['began_at_s']:.0f} s",
        fault["kind"].replace("_", " "),
        "everybody" if fault["target"] == EVERYTHING else fault["target"],
        f"{fault['promised_s']:.0f} s",
        f"{fault['over_s']:.1f} s",
        f"{fault['over_as']:.0f}",
        f"{fault['highest_a']:.1f} of {fault['rating_a']:g} A",
        f"{kwh:.2f} kWh by {len(lost)}, {paused} paused",
    )


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
    return len(load.jumps(elapsed_s))


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
