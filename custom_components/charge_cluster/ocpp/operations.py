"""What a person or an automation can ask of a charge point beyond charging, whatever version of OCPP is spoken.

Each operation is a request and a result in neutral words; how they go over the wire is the affair of the version's
package. `call` reaches every other operation of the version by its own name, its payload checked before it goes out.
Nothing here can touch limits or what the proof of the ceiling rests on: see `forbidden`.

Addresses (URLs) may hold passwords and are never logged. Times are UTC POSIX seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from .frames import JsonObject
from .versions import OcppVersion

WHOLE_STATION = 0
"""In place of the number of a connector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A configuration key of OCPP 1.6, or a variable of 2.x as "Component.Variable"."""

    name: str
    value: str | None
    """None: it has none, or one that nobody is shown."""
    read_only: bool | None = None
    evse: int | None = None
    connector: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a charge point answered about its settings."""

    settings: tuple[Setting, ...]
    unknown: tuple[str, ...] = ()
    complete: bool = True
    """Whether all parts of the answer came in time."""


class Change(StrEnum):
    """What became of a new value that was taken."""

    DONE = "done"
    RESTART_NEEDED = "restart_needed"


class Message(StrEnum):
    """What a charge point can be asked to send."""

    BOOT = "boot"
    HEARTBEAT = "heartbeat"
    STATUS = "status"
    METER_VALUES = "meter_values"
    FIRMWARE = "firmware"
    LOG = "log"
    CERTIFICATE_REQUEST = "certificate_request"
    TRANSACTION = "transaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A connector that is kept for one idTag until a time."""

    reservation_id: int
    connector: int
    """0: any of the charge point's."""
    id_tag: str
    expires_at: float
    group_id_tag: str | None = None
    """Whoever has an idTag of this group may use it as well."""


class LogKind(StrEnum):
    """Which log is to be sent."""

    DIAGNOSTICS = "diagnostics"
    SECURITY = "security"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWish:
    """A log that a charge point is to upload."""

    kind: LogKind
    address: str
    since: float | None = None
    until: float | None = None
    retries: int | None = None
    retry_interval_s: int | None = None
    wait_s: float = 0.0
    """So long its end is waited for; 0: only for the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareWish:
    """A firmware that a charge point is to fetch and install; with certificate and signature it checks who made it."""

    address: str
    retrieve_at: float
    install_at: float | None = None
    certificate: str | None = None
    signature: str | None = None
    retries: int | None = None
    retry_interval_s: int | None = None
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Undertaking:
    """Something that a charge point does in its own time: how far it was when this was told."""

    request_id: int | None = None
    """Under which it tells its progress; None: this one does not number it."""
    file_name: str | None = None
    status: str | None = None
    """The last word that it said of it; None: nothing yet."""
    ended: bool = False
    """Whether that was the last word of all."""


class CertificateUse(StrEnum):
    """What a certificate is to vouch for."""

    CENTRAL_SYSTEM = "central_system"
    MANUFACTURER = "manufacturer"
    V2G = "v2g"
    MOBILITY_OPERATOR = "mobility_operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateName:
    """How charge points tell certificates apart."""

    algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCertificate:
    """A certificate that a charge point has."""

    use: CertificateUse | None
    """None: one of its own, or one for a use that we have no word for."""
    name: CertificateName


class ScheduleUnit(StrEnum):
    """The unit of a schedule."""

    AMPS = "A"
    WATTS = "W"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePeriod:
    """From `start_s` after the start of the schedule."""

    start_s: int
    limit: float
    phases: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeSchedule:
    """What limits follow from all profiles that a charge point holds for a connector, by its own account."""

    connector: int
    unit: ScheduleUnit | None
    starts_at: float | None
    duration_s: int | None
    periods: tuple[SchedulePeriod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldProfiles:
    """The charging profiles that a charge point holds, in its own words."""

    profiles: tuple[JsonObject, ...]
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """What came back for an operation of the version's own: the answer, and what was sent after it in parts."""

    answer: JsonObject
    parts: tuple[JsonObject, ...] = ()
    complete: bool = True
    """Whether the last part came in time."""


class NotInThisVersion(Exception):
    """The version of OCPP that the charge point speaks has no such operation; `version` is that version."""

    def __init__(self, version: OcppVersion) -> None:
        super().__init__(version)
        self.version = version


class NoReservation(Exception):
    """Nothing is known to be reserved there."""


class Operations(Protocol):
    """What can be asked of one charge point.

    All raise NotReachable (NoAnswer where it was asked and kept quiet) and Refused, those that change something
    Forbidden. Where a version lacks an operation it raises NotInThisVersion.
    """

    @property
    def version(self) -> OcppVersion:
        """Return the version of OCPP that it speaks."""

    @property
    def reservations(self) -> Sequence[Reservation]:
        """Return what was reserved from here and still is, as far as is known."""

    async def settings(self, names: Collection[str] = ()) -> Settings:
        """Read settings, all of them without names."""

    async def change_setting(self, name: str, value: str) -> Change:
        """Set one."""

    async def trigger(self, message: Message, connector: int | None = None) -> None:
        """Have a message sent now, of a connector where it is about one."""

    async def reserve(
        self, connector: int, id_tag: str, expires_at: float, *, group_id_tag: str | None = None
    ) -> Reservation:
        """Keep a connector (0: any) for an idTag."""

    async def cancel_reservation(self, *, reservation_id: int | None = None, connector: int | None = None) -> int:
        """Give up a reservation by its id, or the one at a connector; return its id. Raises NoReservation."""

    async def fetch_log(self, wish: LogWish) -> Undertaking:
        """Have a log uploaded."""

    async def update_firmware(self, wish: FirmwareWish) -> Undertaking:
        """Have a firmware installed."""

    async def install_certificate(self, use: CertificateUse, certificate: str) -> None:
        """Have a certificate (PEM) trusted."""

    async def certificates(self, use: CertificateUse | None = None) -> Sequence[HeldCertificate]:
        """Return which it trusts, for one use or all."""

    async def delete_certificate(self, name: CertificateName) -> None:
        """Have a certificate trusted no more."""

    async def composite_schedule(
        self, connector: int, duration_s: int, unit: ScheduleUnit | None = None
    ) -> CompositeSchedule:
        """Return what limits follow from the profiles that it holds."""

    async def held_profiles(self, connector: int | None = None) -> HeldProfiles:
        """Return the charging profiles that it holds."""

    async def clear_cache(self) -> None:
        """Make it forget the idTags that it remembers."""

    async def transfer(self, vendor: str, message: str | None = None, content: str | None = None) -> str | None:
        """Send something of a vendor's own and return what came back."""

    async def call(self, operation: str, payload: JsonObject) -> Called:
        """Start an operation by the version's own name. Raises PayloadFault besides."""
