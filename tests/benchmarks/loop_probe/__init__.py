"""Loaded into a Home Assistant that is measured: notes when its event loop was late, and what held it.

A timer (of 5 ms, if not configured) says how late the loop is; each callback that holds it for long is noted
by name, and so is the garbage collector. Lines go to a file beside the configuration; times are those of
CLOCK_MONOTONIC, which all processes share.
"""

import asyncio
import gc
import json
import time
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType

DOMAIN = "loop_probe"
FILE = "loop_probe.jsonl"
SAMPLED_EVERY_S = 0.005
LATE_S = 0.003
"""Less than this is the timer's own doing."""
HELD_S = 0.008
"""From here on a callback is noted by its name."""
WRITTEN_EVERY_S = 1.0


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Begin to watch."""
    every_s = float((config[DOMAIN] or {}).get("sampled_every_s", SAMPLED_EVERY_S))
    # Home Assistant looks through the stack at each file that is opened in its loop: that would be measured, too.
    file = await hass.async_add_executor_job(Path(hass.config.path(FILE)).open, "a")
    Probe(asyncio.get_running_loop(), file, every_s).begin()
    return True


class Probe:
    """Watches one loop until its process ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop, file: TextIO, sampled_every_s: float) -> None:
        """Write to a file that is open."""
        self._sampled_every_s = sampled_every_s
        self._loop = loop
        self._file = file
        self._lines: list[dict[str, Any]] = []
        self._due = 0.0
        self._collecting_since = 0.0

    def begin(self) -> None:
        """Watch from now on."""
        self._watch_callbacks()
        gc.callbacks.append(self._collected)
        self._due = self._loop.time() + self._sampled_every_s
        self._loop.call_at(self._due, self._sample)
        self._loop.call_later(WRITTEN_EVERY_S, self._write)

    def _sample(self) -> None:
        now = self._loop.time()
        if now - self._due > LATE_S:
            self._lines.append({"at": self._due, "late_s": now - self._due})
        self._due = now + self._sampled_every_s
        self._loop.call_at(self._due, self._sample)

    def _watch_callbacks(self) -> None:
        run = asyncio.Handle._run
        note = self._lines.append

        def timed(handle: asyncio.Handle) -> None:
            callback = handle._callback  # type: ignore[attr-defined]  # no public way to know what runs
            begun = time.monotonic()
            run(handle)
            took = time.monotonic() - begun
            if took > HELD_S:
                note({"at": begun, "held_s": took, "by": _name(callback)})

        setattr(asyncio.Handle, "_run", timed)  # noqa: B010 - nor to watch it

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_since = time.monotonic()
            return
        took = time.monotonic() - self._collecting_since
        if took > LATE_S:
            self._lines.append(
                {
                    "at": self._collecting_since,
                    "held_s": took,
                    "by": f"garbage collector, generation {info['generation']}",
                }
            )

    def _write(self) -> None:
        lines, self._lines[:] = list(self._lines), []
        if lines:
            self._file.writelines(f"{json.dumps(line)}\n" for line in lines)
            self._file.flush()
        self._loop.call_later(WRITTEN_EVERY_S, self._write)


def _name(callback: object) -> str:
    """Return what a callback is, in a few words."""
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        coroutine = task.get_coro()
        return f"{getattr(coroutine, '__qualname__', coroutine)}"
    if isinstance(callback, partial):
        return _name(callback.func)
    return str(getattr(callback, "__qualname__", callback))
