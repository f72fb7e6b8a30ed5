"""What a charge point has to say and to answer, whichever version of OCPP it speaks.

The station and its connectors know what happens; a voice knows how its version words it. `v16` and `v2` are the voices.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from .link import Payload, Reply
from .measurands import Reading

if TYPE_CHECKING:
    from .connector import Connector, Transaction


class Voice(Protocol):
    """The wording of one version of OCPP."""

    subprotocol: str

    error_codes: Mapping[str, str]
    """How this version spells error codes, where it differs from 1.6."""

    answers_rubbish: bool
    """Answers with a CALLERROR even what cannot be read."""

    def boot(self) -> Payload:
        """Return a BootNotification."""

    def answer(self, action: str, payload: Payload) -> Reply:
        """Return the answer to a call.

        Raises:
            CallFault: the call is unknown, malformed or refused with an error.
        """

    def tick(self, now: float) -> None:
        """Say what is due at a virtual moment."""

    def registered(self) -> None:
        """Say what is to be said once after registration."""

    def lose_power(self) -> None:
        """Forget what is not stored."""

    def ask_for_certificate(self) -> None:
        """Ask for a certificate of the charge point's own, with a new key."""

    def say_station_status(self) -> None:
        """Say the status of the station as a whole, where there is such a thing."""

    def say_status(self, connector: Connector) -> None:
        """Say the status of a connector."""

    def charging_changed(self, connector: Connector) -> None:
        """Say that what a transaction does has changed, where that is told apart from the status."""

    def car_came(self, connector: Connector) -> None:
        """Begin a transaction with the plug, where this version's settings say so."""

    def authorise(self, connector: Connector, tag: str) -> None:
        """Ask the central system whether a tag may charge; the answer comes as `Connector.tag_answered`."""

    def start_remotely(self, connector: Connector, tag: str) -> None:
        """Begin a transaction that the central system asked for, after asking it for the tag where so configured."""

    def say_started(self, connector: Connector, transaction: Transaction) -> None:
        """Say that a transaction began."""

    def say_authorised(self, connector: Connector, transaction: Transaction) -> None:
        """Say that a transaction that began with the plug may charge now."""

    def say_stopped(
        self, connector: Connector, transaction: Transaction, reason: str, readings: Sequence[Reading]
    ) -> None:
        """Say that a transaction ended."""

    def say_values(
        self, connector: Connector, transaction: Transaction | None, readings: Sequence[Reading], context: str
    ) -> None:
        """Say measured values; those of a transaction outlive an outage."""

    def limited_externally(self, amps: float | None) -> None:
        """Say that somebody else limits what flows, or does so no longer, where this version has words for it."""

    def say_priority(self, connector: Connector, *, asked: bool) -> None:
        """Say that a driver asks to charge before others, or no longer, where this version has words for it."""

    def say_feed(self, readings: Sequence[Reading]) -> None:
        """Say what the main meter of a master reads."""

    def reservation_ended(self, reservation_id: int, *, expired: bool) -> None:
        """Say that a reservation is no more, where this version has a word for it."""
