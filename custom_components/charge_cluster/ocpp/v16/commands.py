"""What a person or an automation can ask of a charge point in OCPP 1.6: each is one call, done or refused.

Limits do not belong here: they have their own way through the queue, see `limits`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from ..conversation import NotReachable, Refused
from ..frames import JsonObject
from ..rpc import CallFailed, CallRefused
from . import requests
from .requests import ResetKind, Triggered

MAX_ANSWER = 50


class Commands(ABC):
    """The commands; whoever inherits them knows the connection."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Return the OCPP identity."""

    @property
    @abstractmethod
    def online(self) -> bool:
        """Return whether it can be talked to."""

    @abstractmethod
    def running_transaction(self, connector: int) -> int | None:
        """Return the id under which the transaction at a connector can be addressed."""

    @abstractmethod
    async def _ask(self, action: str, payload: JsonObject) -> JsonObject:
        """Send a call and return its answer. Raises CallFailed."""

    async def start(self, connector: int, id_tag: str) -> None:
        """Start a transaction from here; it runs only when the charger tells so."""
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

    async def clear_cache(self) -> None:
        """Make it forget the idTags that it remembers."""
        await self._command("ClearCache", requests.clear_cache())

    async def clear_profile(self, profile_id: int) -> None:
        """Make it forget one charging profile; what governs afterwards is the charger's affair."""
        await self._command("ClearChargingProfile", requests.clear_charging_profile(profile_id))

    async def transfer(self, vendor: str, message: str | None = None, content: str | None = None) -> str | None:
        """Send something of a vendor's own and return what came back."""
        answer = await self._command("DataTransfer", requests.data_transfer(vendor, message, content))
        returned = answer.get("data")
        return returned if isinstance(returned, str) else None

    async def change_setting(self, key: str, value: str) -> None:
        """Set a configuration key."""
        payload = requests.change_configuration(key, value)
        await self._command("ChangeConfiguration", payload, "Accepted", "RebootRequired")

    async def _command(self, action: str, payload: JsonObject, *good: str) -> JsonObject:
        """Carry out a call whose answer has to be one of the good ones. Raises NotReachable, Refused."""
        if not self.online:
            raise NotReachable(self.identity)
        try:
            answer = await self._ask(action, payload)
        except CallRefused as refusal:
            raise Refused(refusal.code) from None
        except CallFailed:
            raise NotReachable(self.identity) from None
        status = answer.get("status")
        if status not in (good or ("Accepted",)):
            raise Refused(str(status)[:MAX_ANSWER])
        return answer
