"""Lists, reservations, firmware, logs and certificates over a real websocket, in each version's own words."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from simulator import Scenario
from simulator.charge_point import OcppVersion
from simulator.charge_point.certificates import Root
from simulator.charge_point.spec import StartBy

from .central_system import CentralSystem, Heard, Payload
from .conftest import RunSite
from .stories import OUTLET, OnePoint, a_car
from .stories_2 import VERSIONS

POINT = "CP-01"


@pytest.fixture(params=list(OcppVersion))
def version(request: pytest.FixtureRequest) -> OcppVersion:
    return OcppVersion(request.param)


@pytest.fixture
def old(version: OcppVersion) -> bool:
    return version is OcppVersion.V16


async def accepted(run_site: RunSite, scenario: Scenario) -> Any:
    site = await run_site(scenario)
    await site.all_accepted()
    return site


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def statuses(central: CentralSystem, action: str) -> list[str]:
    return [one.payload["status"] for one in central.heard if one.action == action]


def starts(tag: str) -> Callable[[Heard], bool]:
    def met(one: Heard) -> bool:
        if one.action == "StartTransaction":
            return bool(one.payload["idTag"] == tag)
        started = one.action == "TransactionEvent" and one.payload["eventType"] == "Started"
        return started and bool(one.payload.get("idToken", {}).get("idToken") == tag)

    return met


class TestLocalList:
    def entry(self, tag: str, status: str | None, *, old: bool) -> Payload:
        info = {} if status is None else {"idTagInfo" if old else "idTokenInfo": {"status": status}}
        return {"idTag": tag, **info} if old else {"idToken": {"idToken": tag, "type": "ISO14443"}, **info}

    async def send(self, central: CentralSystem, version: int, kind: str, *entries: Payload, old: bool) -> str:
        number = {"listVersion" if old else "versionNumber": version}
        payload = {**number, "updateType": kind, "localAuthorizationList": list(entries)}
        return str((await central.call(POINT, "SendLocalList", payload))["status"])

    async def test_a_list_is_replaced_and_changed(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await accepted(run_site, point_2())
        first = [self.entry("A", "Accepted", old=old), self.entry("B", "Blocked", old=old)]
        assert await self.send(central, 3, "Full", *first, old=old) == "Accepted"
        assert await self.send(central, 3, "Differential", first[0], old=old) == "VersionMismatch"
        change = [self.entry("A", None, old=old), self.entry("C", "Accepted", old=old)]
        assert await self.send(central, 4, "Differential", *change, old=old) == "Accepted"
        answer = await central.call(POINT, "GetLocalListVersion", {})
        assert answer == {"listVersion" if old else "versionNumber": 4}
        held = site.charge_points[POINT].local_list
        assert [held.status_of(tag) for tag in "ABC"] == [None, "Blocked", "Accepted"]

    async def test_too_long_a_list_fails(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        await accepted(run_site, point_2())
        entries = [self.entry(f"T{number}", "Accepted", old=old) for number in range(101)]
        assert await self.send(central, 1, "Full", *entries, old=old) == "Failed"

    @pytest.mark.parametrize(("status", "charges"), [("Accepted", True), ("Blocked", False)])
    async def test_out_of_reach_the_list_decides(
        self, status: str, charges: bool, *, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await accepted(run_site, point_2(starts_by=StartBy.TAG))
        await self.send(central, 1, "Full", self.entry("A", status, old=old), old=old)
        site.fault("drops", POINT)
        await site.until(lambda: not site.charge_points[POINT].connected)
        site.plug(OUTLET, a_car(id_tag="A", tag_after_s=1.0))
        await site.clock.sleep(15.0)
        assert (site.truth.outlets[OUTLET].drawn[0] > 0.0) is charges


class TestCustomers:
    @pytest.fixture(params=VERSIONS)
    def version(self, request: pytest.FixtureRequest) -> OcppVersion:
        return OcppVersion(request.param)

    async def test_what_is_known_of_somebody_is_told_once_and_forgotten(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        await accepted(run_site, point_2())
        token = {"idToken": "VIP", "type": "eMAID"}
        ask: Payload = {"requestId": 1, "report": True, "clear": True, "idToken": token}
        reserve = {"id": 8, "evseId": 1, "expiryDateTime": soon(600.0), "idToken": token}
        assert (await central.call(POINT, "ReserveNow", reserve))["status"] == "Accepted"
        assert (await central.call(POINT, "CustomerInformation", ask))["status"] == "Accepted"
        told = await central.wait_action("NotifyCustomerInformation", requestId=1)
        assert told.payload["data"] == "token of kind eMAID"
        assert (await central.call(POINT, "CustomerInformation", {**ask, "requestId": 2}))["status"] == "Accepted"
        told = await central.wait_action("NotifyCustomerInformation", requestId=2)
        assert told.payload["data"] == ""
        nobody: Payload = {"requestId": 3, "report": True, "clear": False}
        assert (await central.call(POINT, "CustomerInformation", nobody))["status"] == "Invalid"


class TestReservations:
    async def reserve(self, central: CentralSystem, *, old: bool, within_s: float = 600.0, number: int = 1) -> str:
        if old:
            payload: Payload = {
                "connectorId": number,
                "expiryDate": soon(within_s),
                "idTag": "VIP",
                "reservationId": 8,
            }
        else:
            token = {"idToken": "VIP", "type": "ISO14443"}
            payload = {"id": 8, "evseId": number, "expiryDateTime": soon(within_s), "idToken": token}
        return str((await central.call(POINT, "ReserveNow", payload))["status"])

    def reserved(self, old: bool) -> dict[str, Any]:
        return {"status" if old else "connectorStatus": "Reserved"}

    async def test_a_reserved_connector_charges_whom_it_is_kept_for(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await accepted(run_site, point_2(starts_by=StartBy.TAG))
        assert await self.reserve(central, old=old) == "Accepted"
        await central.wait_action("StatusNotification", **self.reserved(old))
        site.plug(OUTLET, a_car(id_tag="OTHER", tag_after_s=1.0))
        await central.wait_action("Authorize")
        await site.clock.sleep(10.0)
        assert site.truth.outlets[OUTLET].drawn[0] == 0.0
        site.unplug(OUTLET)
        await site.clock.sleep(1.0)
        site.plug(OUTLET, a_car(id_tag="VIP", tag_after_s=1.0))
        started = await central.wait_for(starts("VIP"))
        assert started.payload["reservationId"] == 8
        assert await self.reserve(central, old=old) == "Occupied"

    async def test_a_reservation_is_given_up_or_runs_out(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await accepted(run_site, point_2())
        assert await self.reserve(central, old=old) == "Accepted"
        cancel = {"reservationId": 8}
        assert (await central.call(POINT, "CancelReservation", cancel))["status"] == "Accepted"
        assert (await central.call(POINT, "CancelReservation", cancel))["status"] == "Rejected"
        assert await self.reserve(central, old=old, number=9) == "Rejected"
        assert await self.reserve(central, old=old, within_s=site.now + 10.0) == "Accepted"
        await central.wait_action("StatusNotification", **self.reserved(old))
        before = len(central.heard)
        await site.until(lambda: not site.charge_points[POINT].reservations.holds(1))
        available: dict[str, Any] = {"status" if old else "connectorStatus": "Available"}
        await central.wait_action("StatusNotification", after=before, **available)
        if not old:
            ended = await central.wait_action("ReservationStatusUpdate")
            assert ended.payload == {"reservationId": 8, "reservationUpdateStatus": "Expired"}


class TestFirmware:
    async def test_signed_firmware_is_fetched_installed_and_comes_into_use(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        await accepted(run_site, point_2())
        before = len(central.heard)
        firmware = {
            "location": "https://example.invalid/post-2.4.1.bin",
            "retrieveDateTime": soon(-5.0),
            "signingCertificate": a_certificate("Vendor")[0],
            "signature": "c2lnbmF0dXJl",
        }
        action = "SignedUpdateFirmware" if old else "UpdateFirmware"
        answer = await central.call(POINT, action, {"requestId": 5, "firmware": firmware})
        assert answer["status"] == "Accepted"
        boot = await central.wait_action("BootNotification", after=before)
        told = boot.payload if old else boot.payload["chargingStation"]
        assert told["firmwareVersion"] == "2.4.1"
        if not old:
            assert boot.payload["reason"] == "FirmwareUpdate"
        notified = "SignedFirmwareStatusNotification" if old else "FirmwareStatusNotification"
        assert statuses(central, notified) == [
            "Downloading",
            "Downloaded",
            "SignatureVerified",
            "Installing",
            "Installed",
        ]

    async def test_a_certificate_that_cannot_be_read_is_refused_and_a_bad_address_fails(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        await accepted(run_site, point_2())
        action = "SignedUpdateFirmware" if old else "UpdateFirmware"
        firmware = {"location": "nowhere", "retrieveDateTime": soon(-5.0), "signature": "eA=="}
        bad = {**firmware, "signingCertificate": "no certificate"}
        answer = await central.call(POINT, action, {"requestId": 5, "firmware": bad})
        assert answer["status"] == "InvalidCertificate"
        good = {**firmware, "signingCertificate": a_certificate("Vendor")[0]}
        assert (await central.call(POINT, action, {"requestId": 6, "firmware": good}))["status"] == "Accepted"
        notified = "SignedFirmwareStatusNotification" if old else "FirmwareStatusNotification"
        await central.wait_action(notified, status="DownloadFailed", requestId=6)

    async def test_unsigned_firmware_of_16_is_told_in_its_own_message(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        await accepted(run_site, one_point())
        before = len(central.heard)
        update = {"location": "ftp://example.invalid/fw.bin", "retrieveDate": soon(-5.0)}
        assert await central.call(POINT, "UpdateFirmware", update) == {}
        boot = await central.wait_action("BootNotification", after=before)
        assert boot.payload["firmwareVersion"] == "1.0.0.1"
        expected = ["Downloading", "Downloaded", "Installing", "Installed"]
        assert statuses(central, "FirmwareStatusNotification") == expected


class TestLogs:
    async def test_a_log_is_uploaded_and_a_second_request_takes_its_place(
        self, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        await accepted(run_site, point_2())
        ask = {"logType": "SecurityLog", "log": {"remoteLocation": "https://example.invalid/logs"}}
        answer = await central.call(POINT, "GetLog", {**ask, "requestId": 1})
        assert answer["status"] == "Accepted"
        assert POINT in answer["filename"]
        await central.wait_action("LogStatusNotification", status="Uploading", requestId=1)
        again = await central.call(POINT, "GetLog", {**ask, "requestId": 2})
        assert again["status"] == "AcceptedCanceled"
        await central.wait_action("LogStatusNotification", status="Uploaded", requestId=2)

    async def test_diagnostics_of_16_are_uploaded(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        await accepted(run_site, one_point())
        answer = await central.call(POINT, "GetDiagnostics", {"location": "ftp://example.invalid/"})
        assert "diagnostics" in answer["fileName"]
        await central.wait_action("DiagnosticsStatusNotification", status="Uploaded")
        assert statuses(central, "DiagnosticsStatusNotification") == ["Uploading", "Uploaded"]


def a_certificate(
    name: str,
    *,
    key: ec.EllipticCurvePublicKey | None = None,
    issuer: tuple[str, ec.EllipticCurvePrivateKey] | None = None,
) -> tuple[str, ec.EllipticCurvePrivateKey]:
    """Return a certificate as PEM, and the private key that signed it."""
    own = ec.generate_private_key(ec.SECP256R1())
    issuer_name, signing = issuer or (name, own)
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer_name)]))
        .public_key(key or own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(signing, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), signing


class TestCertificates:
    async def test_a_root_is_installed_named_and_deleted(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        await accepted(run_site, point_2())
        kind = "CentralSystemRootCertificate" if old else "CSMSRootCertificate"
        pem, _ = a_certificate("Root")
        install = {"certificateType": kind, "certificate": pem}
        assert (await central.call(POINT, "InstallCertificate", install))["status"] == "Accepted"
        rubbish = {"certificateType": kind, "certificate": "rubbish"}
        assert (await central.call(POINT, "InstallCertificate", rubbish))["status"] == "Rejected"
        ask = {"certificateType": kind if old else [kind]}
        found = await central.call(POINT, "GetInstalledCertificateIds", ask)
        if old:
            hash_data = found["certificateHashData"][0]
        else:
            assert found["certificateHashDataChain"][0]["certificateType"] == kind
            hash_data = found["certificateHashDataChain"][0]["certificateHashData"]
        root = Root(kind=kind, certificate=x509.load_pem_x509_certificate(pem.encode()))
        assert hash_data == root.hash_data
        delete = {"certificateHashData": hash_data}
        assert (await central.call(POINT, "DeleteCertificate", delete))["status"] == "Accepted"
        assert (await central.call(POINT, "DeleteCertificate", delete))["status"] == "NotFound"
        assert (await central.call(POINT, "GetInstalledCertificateIds", ask))["status"] == "NotFound"

    async def test_the_hash_of_a_key_is_the_one_of_rfc_6960(self) -> None:
        pem, signing = a_certificate("Root")
        root = Root(kind="CSMSRootCertificate", certificate=x509.load_pem_x509_certificate(pem.encode()))
        skid = x509.SubjectKeyIdentifier.from_public_key(signing.public_key()).digest
        point = signing.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        sha1, sha256 = hashes.Hash(hashes.SHA1()), hashes.Hash(hashes.SHA256())  # noqa: S303 - RFC 5280's identifier
        sha1.update(point)
        sha256.update(point)
        assert sha1.finalize() == skid  # the bits that both hashes are taken of
        assert root.hash_data["issuerKeyHash"] == sha256.finalize().hex()

    async def test_its_own_certificate_is_asked_for_and_taken_only_for_its_own_key(
        self, old: bool, central: CentralSystem, run_site: RunSite, point_2: OnePoint
    ) -> None:
        site = await accepted(run_site, point_2())
        if old:
            ask, action = {"requestedMessage": "SignChargePointCertificate"}, "ExtendedTriggerMessage"
        else:
            ask, action = {"requestedMessage": "SignChargingStationCertificate"}, "TriggerMessage"
        assert (await central.call(POINT, action, ask))["status"] == "Accepted"
        heard = await central.wait_action("SignCertificate")
        request = x509.load_pem_x509_csr(heard.payload["csr"].encode())
        assert request.is_signature_valid
        assert "SIM-CP-01" in request.subject.rfc4514_string()
        root, signing = a_certificate("Root")
        stranger, _ = a_certificate("SIM-CP-01", issuer=("Root", signing))
        answer = await central.call(POINT, "CertificateSigned", {"certificateChain": stranger + root})
        assert answer["status"] == "Rejected"
        key = request.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        own, _ = a_certificate("SIM-CP-01", key=key, issuer=("Root", signing))
        answer = await central.call(POINT, "CertificateSigned", {"certificateChain": own + root})
        assert answer["status"] == "Accepted"
        held = site.charge_points[POINT].certificates.own
        assert held is not None
        assert len(held.chain) == 2


@pytest.mark.parametrize(
    "message", ["BootNotification", "Heartbeat", "StatusNotification", "MeterValues", "LogStatusNotification"]
)
async def test_the_security_paper_of_16_can_ask_for_messages_too(
    message: str, central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    await accepted(run_site, one_point())
    await central.wait_action("StatusNotification", connectorId=1)
    before = len(central.heard)
    ask = {"requestedMessage": message, "connectorId": 1}
    assert (await central.call(POINT, "ExtendedTriggerMessage", ask))["status"] == "Accepted"
    await central.wait_action(message, after=before)


async def test_16_tells_of_security_events_where_its_model_does(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    await accepted(run_site, one_point(security_events=True))
    heard = await central.wait_action("SecurityEventNotification")
    assert heard.payload["type"] == "StartupOfTheDevice"
