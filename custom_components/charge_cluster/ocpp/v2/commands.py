"""The commands of `ocpp.commands` as OCPP 2.x words them."""

from __future__ import annotations

import secrets
from abc import abstractmethod

from ..commands import Commands
from ..conversation import NotReachable, Refused
from ..rpc import CallFailed
from ..tokens import TokenType
from . import requests
from .requests import ResetKind

MOST_REMOTE_START_ID = 2**31 - 1


class Commands2(Commands):
    """The commands; whoever inherits them knows the connection."""

    @abstractmethod
    def own_id_at(self, connector: int) -> str | None:
        """Return the charger's own id of the transaction at an EVSE."""

    @abstractmethod
    def _plugged_connector(self, evse: int) -> int:
        """Return which connector of an EVSE a plug is in."""

    @abstractmethod
    async def _refresh_once(self) -> bool:
        """Ask for the present state and measurements; return whether any will come. Raises CallFailed."""

    async def start(self, connector: int, id_tag: str) -> None:
        """Start a transaction from here; it runs only when the charger tells so."""
        remote_start_id = 1 + secrets.randbelow(MOST_REMOTE_START_ID)
        await self._command(
            "RequestStartTransaction",
            requests.request_start_transaction(connector, id_tag, remote_start_id, TokenType.CENTRAL),
        )

    async def stop(self, connector: int) -> None:
        """Stop the running transaction."""
        own_id = self.own_id_at(connector)
        if own_id is None:
            raise Refused("NoTransaction")
        await self._command("RequestStopTransaction", requests.request_stop_transaction(own_id))

    async def reset(self, *, hard: bool) -> None:
        """Restart the charge point; a soft restart may wait for the end of transactions."""
        kind = ResetKind.IMMEDIATE if hard else ResetKind.ON_IDLE
        await self._command("Reset", requests.reset(kind), "Accepted", "Scheduled")

    async def unlock(self, connector: int) -> None:
        """Release the plug."""
        payload = requests.unlock_connector(connector, self._plugged_connector(connector))
        await self._command("UnlockConnector", payload, "Unlocked")

    async def set_availability(self, connector: int, *, operative: bool) -> None:
        """Take an EVSE (0: all) out of service or back; during a transaction it follows after its end."""
        payload = requests.change_availability(connector, operative=operative)
        await self._command("ChangeAvailability", payload, "Accepted", "Scheduled")

    async def refresh(self) -> None:
        """Ask for the present state and measurements."""
        if not self.online:
            raise NotReachable(self.identity)
        try:
            told = await self._refresh_once()
        except CallFailed:
            raise NotReachable(self.identity) from None
        if not told:
            raise Refused("Rejected")
