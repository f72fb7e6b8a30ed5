"""The commands of `ocpp.commands` as OCPP 1.6 words them."""

from __future__ import annotations

from abc import abstractmethod

from ..commands import Commands
from ..conversation import Refused
from . import requests
from .requests import ResetKind, Triggered


class Commands16(Commands):
    """The commands; whoever inherits them knows the connection."""

    @abstractmethod
    def running_transaction(self, connector: int) -> int | None:
        """Return the id under which the transaction at a connector can be addressed."""

    async def start(self, connector: int, id_tag: str) -> None:
        """Start a transaction from here; it runs only when the charger tells so."""
        if len(id_tag) > requests.ID_TAG_LENGTH:
            raise Refused("IdTagTooLong")
        await self._command("RemoteStartTransaction", requests.remote_start_transaction(connector, id_tag))

    async def stop(self, connector: int) -> None:
        """Stop the running transaction."""
        transaction_id = self.running_transaction(connector)
        if transaction_id is None:
            raise Refused("NoTransaction")
        await self._command("RemoteStopTransaction", requests.remote_stop_transaction(transaction_id))

    async def reset(self, *, hard: bool) -> None:
        """Restart the charge point."""
        await self._command("Reset", requests.reset(ResetKind.HARD if hard else ResetKind.SOFT))

    async def unlock(self, connector: int) -> None:
        """Release the plug."""
        await self._command("UnlockConnector", requests.unlock_connector(connector), "Unlocked")

    async def set_availability(self, connector: int, *, operative: bool) -> None:
        """Take a connector (0: all) out of service or back; during a transaction it follows after its end."""
        payload = requests.change_availability(connector, operative=operative)
        await self._command("ChangeAvailability", payload, "Accepted", "Scheduled")

    async def refresh(self) -> None:
        """Ask for the present state and measurements."""
        await self._command("TriggerMessage", requests.trigger_message(Triggered.STATUS))
        await self._command("TriggerMessage", requests.trigger_message(Triggered.METER_VALUES))
