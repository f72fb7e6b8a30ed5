"""The web server behind the listener: what is no HTTP is refused in a few words of our own.

aiohttp's own refusal repeats the line that it could not read and writes a traceback for each: whoever finds the port
could fill the log and have things said in our name. Only an error of ours is still told with its traceback.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, override

from aiohttp import web

from .pacing import CalmLog


class HttpDoor(web.Server):
    """A web server whose refusals repeat nothing."""

    def __init__(self, enter: Any, log: CalmLog, **options: Any) -> None:
        """Have requests answered by `enter`; what cannot be read is told to `log`."""
        super().__init__(enter, access_log=None, **options)
        self.log = log

    @override
    def __call__(self) -> web.RequestHandler:
        return _DoorHandler(self, loop=asyncio.get_running_loop(), log=self.log, **self._kwargs)


class _DoorHandler(web.RequestHandler):
    """One connection to it."""

    __slots__ = ("_log",)

    def __init__(self, manager: HttpDoor, *, log: CalmLog, **options: Any) -> None:
        super().__init__(manager, **options)
        self._log = log

    @override
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return super().handle_error(request, status, exc, message)
        self._log.warning("Somebody at %s does not speak HTTP", request.remote)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        response = web.Response(status=status, text=HTTPStatus(status).phrase)
        response.force_close()
        return response
