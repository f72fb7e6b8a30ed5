"""When the wall clock of the host is believed."""

import time
from pathlib import Path

import pytest

from custom_components.charge_cluster.host_clock import PATIENCE_S, RELEASED_AT, HostClock, believed, runs_while_off

NOW = RELEASED_AT + 86_400


@pytest.mark.parametrize(
    ("wall", "kernel", "ran_on", "uptime_s", "believe"),
    [
        (NOW, True, False, 10, True),
        (NOW, None, False, 10, True),
        (NOW, False, False, 10, False),
        (NOW, False, True, 10, True),
        (NOW, False, False, PATIENCE_S, True),
        (RELEASED_AT - 1, True, True, PATIENCE_S, False),
        (0.0, None, False, PATIENCE_S, False),
    ],
)
def test_a_clock_is_believed(wall: float, kernel: bool | None, uptime_s: float, *, ran_on: bool, believe: bool) -> None:
    assert believed(wall=wall, kernel_synchronised=kernel, ran_on=ran_on, uptime_s=uptime_s) is believe


@pytest.mark.parametrize(
    ("battery_clocks", "flags", "runs"),
    [
        ({"rtc0": "1\n"}, "fpu vme", True),
        ({"rtc0": "0\n", "rtc1": "1\n"}, "fpu vme", True),
        ({"rtc0": "0\n"}, "fpu vme", False),
        ({}, "fpu hypervisor vme", True),
        ({}, "fpu", False),
        ({}, None, False),
    ],
)
def test_a_clock_runs_on_with_a_battery_or_in_a_virtual_machine(
    tmp_path: Path, battery_clocks: dict[str, str], flags: str | None, *, runs: bool
) -> None:
    folder, processors = tmp_path / "rtc", tmp_path / "cpuinfo"
    for name, set_the_system in battery_clocks.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "hctosys").write_text(set_the_system)
    if flags is not None:
        processors.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")

    assert runs_while_off(folder, processors) is runs


def test_once_believed_a_clock_is_doubted_only_when_it_falls_behind_our_release(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = {"kernel": True, "wall": NOW}
    monkeypatch.setattr("custom_components.charge_cluster.host_clock.ask_kernel", lambda: answers["kernel"])
    monkeypatch.setattr("custom_components.charge_cluster.host_clock.uptime", lambda: 10.0)
    monkeypatch.setattr("custom_components.charge_cluster.host_clock.runs_while_off", lambda: False)
    monkeypatch.setattr(time, "time", lambda: answers["wall"])
    clock = HostClock()

    assert clock.synchronised()
    answers["kernel"] = False
    assert clock.synchronised()
    answers["wall"] = 0.0
    assert not clock.synchronised()
    answers["wall"] = NOW
    assert not clock.synchronised()


def test_the_clocks_run() -> None:
    clock = HostClock()

    assert clock.monotonic() <= clock.monotonic()
    assert abs(clock.time() - time.time()) < 60
