"""The two clocks of the host, and whether its wall clock can be believed.

A small computer without a battery starts with the time of its last shutdown and is corrected minutes later. Until then
nothing absolute may go out to chargers. The kernel says whether somebody disciplines its clock. Where nobody tells it,
the clock is believed at once if it ran on while the host was off (one with a battery, or that of a virtual machine,
which has the time from the machine beneath it), and after a patience otherwise.
"""

import ctypes
import sys
import time
from pathlib import Path

RELEASED_AT = 1_793_491_200.0
"""2026-11-01: no right clock shows an earlier time than that of this version."""
PATIENCE_S = 900.0
"""Uptime after which a clock is believed although nothing speaks for it."""

_TIME_ERROR = 5
"""State of the kernel's clock while it is not synchronised (adjtimex(2))."""
_TIMEX_BYTES = 512
"""More than any platform's `struct timex`; zeroed, it asks and sets nothing."""
_BATTERY_CLOCKS = Path("/sys/class/rtc")
"""A folder for each clock of the board; `hctosys` reads 1 in that which set the system's at boot (rtc(4))."""
_PROCESSORS = Path("/proc/cpuinfo")


def believed(*, wall: float, kernel_synchronised: bool | None, ran_on: bool, uptime_s: float) -> bool:
    """Return whether a wall clock is to be believed.

    Args:
        wall: what it shows, UTC POSIX seconds.
        kernel_synchronised: whether the kernel says so; None: it cannot be asked.
        ran_on: whether the clock went on while the host was off.
        uptime_s: for how long the host has run, seconds.
    """
    if wall < RELEASED_AT:
        return False
    return kernel_synchronised is not False or ran_on or uptime_s >= PATIENCE_S


def ask_kernel() -> bool | None:
    """Return whether the kernel's clock is synchronised; None: it does not say."""
    if sys.platform != "linux":
        return None
    try:
        state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except OSError, AttributeError:  # a libc without it, or a sandbox that forbids it
        return None
    return None if state < 0 else state != _TIME_ERROR


def runs_while_off(battery_clocks: Path = _BATTERY_CLOCKS, processors: Path = _PROCESSORS) -> bool:
    """Return whether the host's clock goes on while it is off: by a battery, or by the host of a virtual machine.

    A battery that is flat makes the clock begin before our release, so that it is not believed for it.
    """
    try:
        for source in battery_clocks.glob("*/hctosys"):
            if source.read_text().strip() == "1":
                return True
        lines = processors.read_text().splitlines()
    except OSError, UnicodeDecodeError:  # another system, or a sandbox that hides them
        return False
    return any("hypervisor" in line.split() for line in lines if line.startswith("flags"))


def uptime() -> float:
    """Return for how many seconds the host has run, sleep included where that can be told."""
    clock: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class HostClock:
    """The clocks of this host (`ocpp.protocols.Clock`)."""

    def __init__(self) -> None:
        """Believe nothing yet; reads files, so not in the event loop."""
        self._believed = False
        self._ran_on = runs_while_off()

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()

    def time(self) -> float:
        """Return UTC POSIX seconds."""
        return time.time()

    def synchronised(self) -> bool:
        """Return whether the wall clock is right; once believed, it stays so unless it falls behind our own release."""
        wall = time.time()
        if not self._believed or wall < RELEASED_AT:
            self._believed = believed(
                wall=wall, kernel_synchronised=ask_kernel(), ran_on=self._ran_on, uptime_s=uptime()
            )
        return self._believed
