"""The two clocks of the host, and whether its wall clock can be believed.

A small computer without a battery starts with the time of its last shutdown and is corrected minutes later. Until then
nothing absolute may go out to chargers. The kernel says whether somebody disciplines its clock; on a host where nobody
ever tells the kernel (a virtual machine that its hypervisor keeps right), the clock is believed after a patience.
"""

import ctypes
import sys
import time

RELEASED_AT = 1_793_491_200.0
"""2026-11-01: no right clock shows an earlier time than that of this version."""
PATIENCE_S = 900.0
"""Uptime after which a clock is believed although the kernel does not call it synchronised."""

_TIME_ERROR = 5
"""State of the kernel's clock while it is not synchronised (adjtimex(2))."""
_TIMEX_BYTES = 512
"""More than any platform's `struct timex`; zeroed, it asks and sets nothing."""


def believed(*, wall: float, kernel_synchronised: bool | None, uptime_s: float) -> bool:
    """Return whether a wall clock is to be believed; `kernel_synchronised` None: the kernel cannot be asked."""
    if wall < RELEASED_AT:
        return False
    return kernel_synchronised is not False or uptime_s >= PATIENCE_S


def ask_kernel() -> bool | None:
    """Return whether the kernel's clock is synchronised; None: it does not say."""
    if sys.platform != "linux":
        return None
    try:
        state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except OSError, AttributeError:  # a libc without it, or a sandbox that forbids it
        return None
    return None if state < 0 else state != _TIME_ERROR


def uptime() -> float:
    """Return for how many seconds the host has run, sleep included where that can be told."""
    clock: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class HostClock:
    """The clocks of this host (`ocpp.protocols.Clock`)."""

    def __init__(self) -> None:
        """Believe nothing yet."""
        self._believed = False

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
            self._believed = believed(wall=wall, kernel_synchronised=ask_kernel(), uptime_s=uptime())
        return self._believed
