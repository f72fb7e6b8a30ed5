"""Who has reserved which connector until when. Nobody reserves the charge point as a whole here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connector import Connector

ANSWERS = {"Available": "Accepted", "Faulted": "Faulted", "Reserved": "Accepted", "Unavailable": "Unavailable"}
"""What a reservation is answered with, by the status of the connector; all others are occupied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A connector is kept for a tag, or for whoever shares its group."""

    reservation_id: int
    connector: int
    tag: str
    until: float
    """UTC POSIX seconds by the charge point's clock."""


class Reservations:
    """The reservations of one charge point, one for each connector at most."""

    def __init__(self) -> None:
        """Begin with none."""
        self._held: dict[int, Reservation] = {}

    def holds(self, connector: int) -> bool:
        """Return whether a connector is reserved."""
        return connector in self._held

    def admit(self, connector: int, tag: str) -> bool:
        """Return whether a tag may charge at a connector."""
        held = self._held.get(connector)
        return held is None or held.tag == tag

    def reserve(self, reservation: Reservation) -> None:
        """Keep a connector; a reservation under the same number is replaced."""
        self.cancel(reservation.reservation_id)
        self._held[reservation.connector] = reservation

    def cancel(self, reservation_id: int) -> bool:
        """Give a reservation up; return whether there was one."""
        connector = next((one.connector for one in self._held.values() if one.reservation_id == reservation_id), None)
        return connector is not None and self._held.pop(connector) is not None

    def use(self, connector: int, tag: str) -> int | None:
        """Let a tag take up its reservation; return the number of it, None where it had none."""
        held = self._held.get(connector)
        if held is None or held.tag != tag:
            return None
        del self._held[connector]
        return held.reservation_id

    def expire(self, utc: float) -> Sequence[int]:
        """Give up what nobody came for in time; return the numbers."""
        over = [held for held in self._held.values() if utc >= held.until]
        for held in over:
            del self._held[held.connector]
        return [held.reservation_id for held in over]


def reserve_connector(
    reservations: Reservations, connector: Connector, reservation_id: int, tag: str, until: float
) -> str:
    """Keep a connector for a tag where that is possible; return the status of the answer."""
    status = ANSWERS.get(str(connector.status), "Occupied")
    if status == "Accepted":
        reservations.reserve(
            Reservation(reservation_id=reservation_id, connector=connector.number, tag=tag, until=until)
        )
    return status
