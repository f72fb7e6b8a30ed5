"""When the wall clock of the host is believed."""

import time

import pytest

from custom_components.charge_cluster.host_clock import PATIENCE_S, RELEASED_AT, HostClock, believed

NOW = RELEASED_AT + 86_400


@pytest.mark.parametrize(
    ("wall", "kernel", "uptime_s", "believe"),
    [
        (NOW, True, 10, True),
        (NOW, None, 10, True),
        (NOW, False, 10, False),
        (NOW, False, PATIENCE_S, True),
        (RELEASED_AT - 1, True, PATIENCE_S, False),
        (0.0, None, PATIENCE_S, False),
    ],
)
def test_a_clock_is_believed(wall: float, kernel: bool | None, uptime_s: float, *, believe: bool) -> None:
    assert believed(wall=wall, kernel_synchronised=kernel, uptime_s=uptime_s) is believe


def test_once_believed_a_clock_is_doubted_only_when_it_falls_behind_our_release(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = {"kernel": True, "wall": NOW}
    monkeypatch.setattr("custom_components.charge_cluster.host_clock.ask_kernel", lambda: answers["kernel"])
    monkeypatch.setattr("custom_components.charge_cluster.host_clock.uptime", lambda: 10.0)
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
