"""Home Assistant from outside, as a browser sees it: log-in, REST and the websocket.

The forms of Home Assistant's flows are filled in by `walk`, which takes one mapping per form and ends with whatever the
flow ended with.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import aiohttp

type Json = dict[str, Any]
type _Reading = Callable[[aiohttp.ClientResponse], Awaitable[Any]]

CONFIG_FLOW = "/api/config/config_entries/flow"
SUBENTRY_FLOW = "/api/config/config_entries/subentries/flow"
OPTIONS_FLOW = "/api/config/config_entries/options/flow"

POLL_S = 0.2
LARGEST_MESSAGE = 64 * 1024 * 1024


class NotReachable(Exception):
    """Home Assistant does not answer (yet, or any more)."""


class RequestRefused(Exception):
    """Home Assistant answered with an error."""


class FormRefused(Exception):
    """A flow did not go the way that the forms were meant for; the message has its last answer."""


class HomeAssistantClient:
    """REST with, after a log-in, a bearer token."""

    def __init__(self, url: str, session: aiohttp.ClientSession, *, token: str | None = None) -> None:
        """Talk to the Home Assistant at this address."""
        self.url = url
        self.token = token
        self._session = session

    async def get(self, path: str) -> Any:
        """Ask for something."""
        return await self._request("GET", path)

    async def text(self, path: str) -> str:
        """Fetch a file."""
        return str(await self._request("GET", path, read=aiohttp.ClientResponse.text))

    async def post(self, path: str, payload: Mapping[str, Any] | None = None) -> Any:
        """Send something."""
        return await self._request("POST", path, json=dict(payload or {}))

    async def delete(self, path: str) -> Any:
        """Remove something."""
        return await self._request("DELETE", path)

    # Onboarding and log-in ---------------------------------------------------------------------------------------

    async def has_owner(self) -> bool:
        """Return whether there is somebody to log in as, or the onboarding has yet to make the first user.

        Raises:
            NotReachable: neither can be done (yet).
        """
        if await self._found("/auth/providers"):
            return True
        if await self._found("/api/onboarding"):
            return False
        raise NotReachable("neither log-in nor onboarding is there yet")

    async def onboard(self, *, name: str, username: str, password: str, language: str = "en") -> None:
        """Make the first user, the owner, and be logged in as that user."""
        created = await self.post(
            "/api/onboarding/users",
            {
                "name": name,
                "username": username,
                "password": password,
                "client_id": self._client_id,
                "language": language,
            },
        )
        await self._take_token(created["auth_code"])

    async def log_in(self, username: str, password: str) -> None:
        """Log in through the form that users see.

        Raises:
            RequestRefused: the name or the password is wrong.
        """
        form = await self.post(
            "/auth/login_flow",
            {"client_id": self._client_id, "handler": ["homeassistant", None], "redirect_uri": self._client_id},
        )
        answer = await self.post(
            f"/auth/login_flow/{form['flow_id']}",
            {"client_id": self._client_id, "username": username, "password": password},
        )
        if answer["type"] != "create_entry":
            raise RequestRefused(f"log-in as {username}: {answer.get('errors')}")
        await self._take_token(answer["result"])

    @property
    def _client_id(self) -> str:
        return f"{self.url}/"

    async def _take_token(self, code: str) -> None:
        """Trade an authorisation for a token that outlives restarts and half an hour."""
        form = {"client_id": self._client_id, "grant_type": "authorization_code", "code": code}
        self.token = (await self._request("POST", "/auth/token", data=form))["access_token"]
        async with self.websocket() as socket:
            self.token = await socket.call("auth/long_lived_access_token", client_name=f"demo {code[:8]}", lifespan=30)

    # Flows ---------------------------------------------------------------------------------------------------------

    async def walk(self, path: str, begin: Mapping[str, Any], *forms: Mapping[str, Any]) -> Json:
        """Begin a flow, fill in its forms one after the other, and return what it ends with.

        Raises:
            FormRefused: a form shows errors, or the flow is longer or shorter than the forms.
        """
        return await self.go_on(path, await self.post(path, begin), *forms)

    async def go_on(self, path: str, step: Json, *forms: Mapping[str, Any]) -> Json:
        """Fill in the next forms of a flow whose last answer is `step`."""
        for form in forms:
            if step["type"] not in ("form", "menu"):
                _refused(step, form)
            step = await self.post(f"{path}/{step['flow_id']}", form)
            if step.get("errors"):
                _refused(step, form)
        return step

    # Websocket -------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def websocket(self) -> AsyncIterator[HomeAssistantSocket]:
        """Open the websocket, logged in.

        Raises:
            NotReachable: nobody answers.
            RequestRefused: the token is not valid.
        """
        try:
            async with self._session.ws_connect(f"{self.url}/api/websocket", max_msg_size=LARGEST_MESSAGE) as raw:
                await raw.receive_json()
                await raw.send_json({"type": "auth", "access_token": self.token})
                if (answer := await raw.receive_json())["type"] != "auth_ok":
                    raise RequestRefused(f"websocket: {answer}")
                socket = HomeAssistantSocket(raw)
                reading = asyncio.create_task(socket.read())
                try:
                    yield socket
                finally:
                    reading.cancel()
                    await asyncio.gather(reading, return_exceptions=True)
        except (aiohttp.ClientConnectionError, aiohttp.WSServerHandshakeError) as error:
            raise NotReachable(str(error)) from error

    async def running(self, *, within_s: float = 120.0) -> None:
        """Wait until Home Assistant has started everything.

        Raises:
            TimeoutError: it has not in time.
        """
        async with asyncio.timeout(within_s), self.websocket() as socket:
            while (await socket.call("get_config"))["state"] != "RUNNING":  # noqa: ASYNC110 - it offers no event
                await asyncio.sleep(POLL_S)

    async def _found(self, path: str) -> bool:
        try:
            await self.get(path)
        except RequestRefused:
            return False
        return True

    async def _request(
        self, method: str, path: str, *, read: _Reading = aiohttp.ClientResponse.json, **rest: Any
    ) -> Any:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        try:
            async with self._session.request(method, f"{self.url}{path}", headers=headers, **rest) as response:
                if not response.ok:
                    raise RequestRefused(f"{method} {path}: {response.status} {await response.text()}")
                return await read(response)
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise NotReachable(f"{method} {path}: {error}") from error


@dataclass(slots=True, eq=False)
class Subscription:
    """What Home Assistant sends after a subscribing call, in order."""

    events: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)


class HomeAssistantSocket:
    """The websocket: calls and their answers, subscriptions and their events."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        """Take over a websocket that is logged in."""
        self._raw = raw
        self._number = 0
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._subscriptions: dict[int, Subscription] = {}
        self._lost = False

    async def call(self, kind: str, **fields: Any) -> Any:
        """Send a command and return its result.

        Raises:
            RequestRefused: it was answered with an error.
            NotReachable: the connection ended before the answer.
        """
        return await self._send(self._next(), kind, fields)

    async def subscribe(self, kind: str, **fields: Any) -> Subscription:
        """Send a subscribing command."""
        number = self._next()
        subscription = self._subscriptions[number] = Subscription()
        await self._send(number, kind, fields)
        return subscription

    async def action(
        self,
        name: str,
        *,
        target: Mapping[str, Any] | None = None,
        answer: bool = False,
        **data: Any,
    ) -> Any:
        """Run an action ("number.set_value"); with `answer` return its response."""
        domain, _dot, service = name.partition(".")
        fields: Json = {"domain": domain, "service": service, "service_data": data}
        if target is not None:
            fields["target"] = dict(target)
        if answer:
            fields["return_response"] = True
        result = await self.call("call_service", **fields)
        return result.get("response")

    async def states(self) -> dict[str, Json]:
        """Return all states by entity id."""
        return {state["entity_id"]: state for state in await self.call("get_states")}

    async def read(self) -> None:
        """Read until the connection ends."""
        try:
            async for message in self._raw:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                batch = message.json()
                for each in batch if isinstance(batch, list) else [batch]:
                    self._take(each)
        finally:
            self._lost = True
            for answer in self._pending.values():
                if not answer.done():
                    answer.set_exception(NotReachable("the websocket ended"))

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _send(self, number: int, kind: str, fields: Mapping[str, Any]) -> Any:
        if self._lost:
            raise NotReachable("the websocket ended")
        answer = self._pending[number] = asyncio.get_running_loop().create_future()
        try:
            await self._raw.send_json({"id": number, "type": kind, **fields})
            return await answer
        except ConnectionError as error:
            raise NotReachable(str(error)) from error
        finally:
            del self._pending[number]

    def _take(self, message: Json) -> None:
        number = message.get("id", 0)
        if message["type"] == "event":
            if number in self._subscriptions:
                self._subscriptions[number].events.put_nowait(message["event"])
            return
        answer = self._pending.get(number)
        if answer is None or answer.done():
            return
        if message.get("success", True):
            answer.set_result(message.get("result"))
        else:
            answer.set_exception(RequestRefused(str(message["error"])))


def _refused(step: Json, form: Mapping[str, Any]) -> NoReturn:
    shown: Sequence[str] = ("type", "step_id", "errors", "reason", "description_placeholders")
    answer = {key: step[key] for key in shown if key in step}
    raise FormRefused(f"{answer} after {dict(form)}")
