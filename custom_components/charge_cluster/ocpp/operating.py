"""What operations are in every version of OCPP: how they are asked for, what is reserved, what logs and schedules say.

Whoever inherits this words the rest for a version. See `operations`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from .asking import Asking
from .forbidden import forbid_operation
from .frames import JsonObject
from .operations import (
    Called,
    CertificateName,
    CertificateUse,
    Change,
    CompositeSchedule,
    FirmwareWish,
    HeldCertificate,
    HeldProfiles,
    LogKind,
    LogWish,
    Message,
    NoReservation,
    NotInThisVersion,
    Reservation,
    SchedulePeriod,
    ScheduleUnit,
    Settings,
    Undertaking,
)
from .protocols import Clock
from .reading import objects, text, whole
from .rpc import Ask
from .times import read_stamp, stamp
from .versions import OcppVersion

MOST_PERIODS = 1000
MOST_RESERVATIONS = 64
FILE_NAME_LENGTH = 255
VENDOR_LENGTH = 255
MESSAGE_LENGTH = 50

LOG_ENDED = frozenset(
    {"Uploaded", "UploadFailure", "BadMessage", "NotSupportedOperation", "PermissionDenied", "AcceptedCanceled"}
)
FIRMWARE_ENDED = frozenset(
    {"Installed", "DownloadFailed", "InstallationFailed", "InvalidSignature", "InstallVerificationFailed"}
)


class Operating(ABC):
    """What can be asked of one charge point, as far as it is the same in every version."""

    def __init__(
        self, version: OcppVersion, *, identity: str, online: Callable[[], bool], ask: Ask, clock: Clock
    ) -> None:
        """Begin with nothing reserved."""
        self._asking = Asking(version=version, identity=identity, online=online, ask=ask)
        self._clock = clock
        self._reserved: dict[int, Reservation] = {}

    @property
    def version(self) -> OcppVersion:
        """Return the version of OCPP that it speaks."""
        return self._asking.version

    # -- what the conversation hears ----------------------------------------------------------------------------------

    def heard(self, message: str, payload: JsonObject) -> None:
        """Take note of a message that may belong to an operation."""
        self._asking.following.take(message, payload)

    def reservation_over(self, reservation_id: int) -> None:
        """Take note that a transaction began on a reservation, or that it is not kept any more."""
        self._reserved.pop(reservation_id, None)

    def connector_free(self, connector: int) -> None:
        """Take note that nothing is reserved at a connector any more."""
        for reservation in self.reservations:
            if reservation.connector == connector:
                self.reservation_over(reservation.reservation_id)

    # -- reservations -------------------------------------------------------------------------------------------------

    @property
    def reservations(self) -> Sequence[Reservation]:
        """Return what was reserved from here and still is, as far as is known."""
        now = self._clock.time()
        for reservation_id in [key for key, kept in self._reserved.items() if kept.expires_at <= now]:
            del self._reserved[reservation_id]
        return tuple(self._reserved.values())

    async def reserve(
        self, connector: int, id_tag: str, expires_at: float, *, group_id_tag: str | None = None
    ) -> Reservation:
        """Keep a connector (0: any) for an idTag."""
        reservation = Reservation(
            reservation_id=self._asking.next_id(),
            connector=connector,
            id_tag=id_tag,
            expires_at=expires_at,
            group_id_tag=group_id_tag,
        )
        await self._asking.command("ReserveNow", self._reserving(reservation))
        if len(self.reservations) < MOST_RESERVATIONS:
            self._reserved[reservation.reservation_id] = reservation
        return reservation

    @abstractmethod
    def _reserving(self, reservation: Reservation) -> JsonObject:
        """Word a reservation."""

    async def cancel_reservation(self, *, reservation_id: int | None = None, connector: int | None = None) -> int:
        """Give up a reservation by its id, or the one at a connector; return its id. Raises NoReservation."""
        if reservation_id is None:
            known = [kept.reservation_id for kept in self.reservations if connector in (None, kept.connector)]
            if len(known) != 1:
                raise NoReservation
            [reservation_id] = known
        await self._asking.command("CancelReservation", {"reservationId": reservation_id})
        self.reservation_over(reservation_id)
        return reservation_id

    # -- what takes its time ------------------------------------------------------------------------------------------

    async def fetch_log(self, wish: LogWish) -> Undertaking:
        """Have a log uploaded."""
        request_id = self._asking.next_id()
        log: JsonObject = {"remoteLocation": wish.address}
        if wish.since is not None:
            log["oldestTimestamp"] = stamp(wish.since)
        if wish.until is not None:
            log["latestTimestamp"] = stamp(wish.until)
        payload: JsonObject = {
            "logType": "DiagnosticsLog" if wish.kind is LogKind.DIAGNOSTICS else "SecurityLog",
            "requestId": request_id,
            "log": log,
            **retries(wish),
        }
        with self._asking.following.awaiting(["LogStatusNotification"], request_id) as awaited:
            answer = await self._asking.command("GetLog", payload, "Accepted", "AcceptedCanceled")
            if wish.wait_s > 0:
                await awaited.until(LOG_ENDED, wish.wait_s)
            return Undertaking(
                request_id=request_id,
                file_name=text(answer, "filename", FILE_NAME_LENGTH),
                status=awaited.status,
                ended=awaited.status in LOG_ENDED,
            )

    async def _install(
        self, operation: str, message: str, wish: FirmwareWish, request_id: int | None, payload: JsonObject
    ) -> Undertaking:
        """Have a firmware installed, by an operation whose progress comes as a message."""
        with self._asking.following.awaiting([message], request_id) as awaited:
            if request_id is None:
                await self._asking.ask(operation, payload)
            else:
                await self._asking.command(operation, payload, "Accepted", "AcceptedCanceled")
            if wish.wait_s > 0:
                await awaited.until(FIRMWARE_ENDED, wish.wait_s)
            return Undertaking(request_id=request_id, status=awaited.status, ended=awaited.status in FIRMWARE_ENDED)

    @abstractmethod
    async def update_firmware(self, wish: FirmwareWish) -> Undertaking:
        """Have a firmware installed."""

    # -- certificates -------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def _uses(self) -> Mapping[CertificateUse, str]:
        """Return the version's words for uses of certificates."""

    def _use(self, use: CertificateUse) -> str:
        word = self._uses.get(use)
        if word is None:
            raise NotInThisVersion(self.version)
        return word

    async def install_certificate(self, use: CertificateUse, certificate: str) -> None:
        """Have a certificate trusted."""
        payload = {"certificateType": self._use(use), "certificate": certificate}
        await self._asking.command("InstallCertificate", payload)

    @abstractmethod
    async def certificates(self, use: CertificateUse | None = None) -> Sequence[HeldCertificate]:
        """Return which it trusts, for one use or all."""

    async def delete_certificate(self, name: CertificateName) -> None:
        """Have a certificate trusted no more."""
        hashed = {
            "hashAlgorithm": name.algorithm,
            "issuerNameHash": name.issuer_name_hash,
            "issuerKeyHash": name.issuer_key_hash,
            "serialNumber": name.serial_number,
        }
        await self._asking.command("DeleteCertificate", {"certificateHashData": hashed})

    # -- single commands ----------------------------------------------------------------------------------------------

    @abstractmethod
    async def settings(self, names: Collection[str] = ()) -> Settings:
        """Read settings, all of them without names."""

    @abstractmethod
    async def change_setting(self, name: str, value: str) -> Change:
        """Set one."""

    @abstractmethod
    async def trigger(self, message: Message, connector: int | None = None) -> None:
        """Have a message sent now."""

    @abstractmethod
    async def composite_schedule(
        self, connector: int, duration_s: int, unit: ScheduleUnit | None = None
    ) -> CompositeSchedule:
        """Return what limits follow from the profiles that it holds."""

    @abstractmethod
    async def held_profiles(self, connector: int | None = None) -> HeldProfiles:
        """Return the charging profiles that it holds."""

    async def clear_cache(self) -> None:
        """Make it forget the idTags that it remembers."""
        await self._asking.command("ClearCache", {})

    async def transfer(self, vendor: str, message: str | None = None, content: str | None = None) -> str | None:
        """Send something of a vendor's own and return what came back."""
        payload: JsonObject = {"vendorId": vendor[:VENDOR_LENGTH]}
        if message is not None:
            payload["messageId"] = message[:MESSAGE_LENGTH]
        if content is not None:
            payload["data"] = content
        forbid_operation("DataTransfer", payload)
        answer = await self._asking.command("DataTransfer", payload)
        returned = answer.get("data")
        return returned if isinstance(returned, str) else None

    async def call(self, operation: str, payload: JsonObject) -> Called:
        """Start an operation by its own name."""
        return await self._asking.call(operation, payload)


def retries(wish: LogWish | FirmwareWish) -> JsonObject:
    """Word how often something is tried again."""
    payload: JsonObject = {}
    if wish.retries is not None:
        payload["retries"] = wish.retries
    if wish.retry_interval_s is not None:
        payload["retryInterval"] = wish.retry_interval_s
    return payload


def firmware(wish: FirmwareWish) -> JsonObject:
    """Word a firmware with whatever vouches for it."""
    worded: JsonObject = {"location": wish.address, "retrieveDateTime": stamp(wish.retrieve_at)}
    if wish.install_at is not None:
        worded["installDateTime"] = stamp(wish.install_at)
    if wish.certificate is not None and wish.signature is not None:
        worded |= {"signingCertificate": wish.certificate, "signature": wish.signature}
    return worded


def certificate_name(raw: JsonObject) -> CertificateName:
    """Read how a certificate is called."""
    return CertificateName(
        algorithm=text(raw, "hashAlgorithm", 20) or "",
        issuer_name_hash=text(raw, "issuerNameHash", 128) or "",
        issuer_key_hash=text(raw, "issuerKeyHash", 128) or "",
        serial_number=text(raw, "serialNumber", 40) or "",
    )


def composite(connector: int, schedule: JsonObject, starts_at: object) -> CompositeSchedule:
    """Read a composite schedule."""
    unit, began = schedule.get("chargingRateUnit"), read_stamp(starts_at)
    return CompositeSchedule(
        connector=connector,
        unit=ScheduleUnit(unit) if unit in ("A", "W") else None,
        starts_at=read_stamp(schedule.get("startSchedule")) if began is None else began,
        duration_s=whole(schedule, "duration"),
        periods=tuple(_periods(schedule.get("chargingSchedulePeriod"))),
    )


def _periods(raw: object) -> Iterator[SchedulePeriod]:
    for period in objects(raw, MOST_PERIODS):
        start_s, limit = whole(period, "startPeriod"), period.get("limit")
        if start_s is not None and isinstance(limit, int | float) and not isinstance(limit, bool):
            yield SchedulePeriod(start_s=start_s, limit=float(limit), phases=whole(period, "numberPhases"))
