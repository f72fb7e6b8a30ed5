"""A real Home Assistant as a process of its own: started, awaited, stopped, killed and started again.

It is given a session of its own, so that Ctrl-C in a terminal reaches whoever started it and not Home Assistant itself,
which is then stopped in order. On Linux the kernel ends it when the one who started it dies without a word.
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from .client import HomeAssistantClient, NotReachable

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when its parent dies."""

POLL_S = 0.2


class HomeAssistantEnded(Exception):
    """Home Assistant ended by itself."""


class HomeAssistantProcess:
    """Home Assistant in one configuration folder; may be started many times, one after the other."""

    def __init__(self, folder: Path, *, port: int, host: str = "127.0.0.1") -> None:
        """Name the configuration folder and the address that was written into it."""
        self.folder = folder
        self.url = f"http://{host}:{port}"
        self._process: asyncio.subprocess.Process | None = None
        self._log_begins_at = 0

    @property
    def log_file(self) -> Path:
        """Where Home Assistant writes its log."""
        return self.folder / "console.log"

    @property
    def pid(self) -> int | None:
        """The process id, None when it does not run."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> Self:
        """Start, and wait until it serves."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    async def start(self, *, within_s: float = 180.0) -> None:
        """Start the process and wait until it answers.

        Raises:
            HomeAssistantEnded: it gave up; the end of its log is the message.
            TimeoutError: it did not answer in time.
        """
        await self.launch()
        try:
            async with asyncio.timeout(within_s):
                await self._answering()
        except BaseException:
            await self.stop()
            raise

    async def launch(self) -> None:
        """Start the process and wait for nothing."""
        if self._process is not None:
            raise RuntimeError("Home Assistant runs already")
        hass = Path(sys.executable).with_name("hass")
        with self.log_file.open("ab") as log:
            self._log_begins_at = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                hass,
                *("--config", self.folder, "--skip-pip", "--log-no-color"),
                cwd=self.folder,
                env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    async def stop(self, *, within_s: float = 30.0) -> None:
        """End it in order, or by force when that takes too long; nothing of it is left afterwards."""
        if self._process is None:
            return
        process = self._process
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(within_s):
                await process.wait()
        except TimeoutError:
            pass  # the signal below is for it
        finally:
            self.send_signal(signal.SIGKILL)
        await process.wait()
        self._process = None

    async def kill(self) -> None:
        """End it as a power cut does: it gets no chance to write anything."""
        if self._process is None:
            return
        self.send_signal(signal.SIGKILL)
        await self._process.wait()
        self._process = None

    def log_lines(self) -> Iterator[str]:
        """Yield what was logged since the last start."""
        if not self.log_file.exists():
            return
        with self.log_file.open("rb") as log:
            log.seek(self._log_begins_at)
            for line in log:
                yield line.decode(errors="replace").rstrip("\n")

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to what it started."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return  # all of it has ended already

    async def _answering(self) -> None:
        async with aiohttp.ClientSession() as session:
            client = HomeAssistantClient(self.url, session)
            while True:
                if self._process is None or self._process.returncode is not None:
                    raise HomeAssistantEnded("\n".join(list(self.log_lines())[-20:]))
                try:
                    await client.has_owner()
                except NotReachable:
                    await asyncio.sleep(POLL_S)
                else:
                    return


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
