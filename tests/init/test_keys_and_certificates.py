"""Keys that change over and certificates that are given, over real sockets: nobody is lost, whatever fails."""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er

from tests.ocpp.certificates import client_context, ec_key, pem_of, request_for
from tests.ocpp.charge_point import ChargePoint
from tests.ocpp.raw_client import RawClient, Refused
from tests.site_entry import DOMAIN, a_charge_point, a_site, free_port, set_up, subentry_called

KEY = "00112233445566778899"


dialled: list[ChargePoint] = []


@pytest.fixture(autouse=True)
async def hung_up(hass: HomeAssistant) -> AsyncIterator[None]:
    """See to it that whoever dialled in hangs up, and that all that it was asked kept to the specification."""
    del hass
    yield
    while dialled:
        await dialled.pop().close()


class Wallbox:
    """A charge point that keeps its key as real ones do."""

    def __init__(self, port: int, identity: str = "CP1", key: str = KEY, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.identity = identity
        self.key = key
        self.tls = tls
        self.offered: list[str] = []
        self.takes: Callable[[str], str] = lambda _key: "Accepted"

    async def dial(self) -> ChargePoint:
        client = await RawClient.dial(self.port, f"/{self.identity}", password=self.key.encode(), tls=self.tls)
        point = ChargePoint(client)
        dialled.append(point)
        point.answers["ChangeConfiguration"] = self._change
        point.answers["ExtendedTriggerMessage"] = lambda _: {"status": "Accepted"}
        await point.boot()
        return point

    def _change(self, payload: Any) -> Any:
        if payload["key"] != "AuthorizationKey":
            return {"status": "Accepted"}
        self.offered.append(payload["value"])
        return {"status": self.takes(payload["value"])}


def device_of(hass: HomeAssistant, entry: Any, name: str = "CP1") -> str:
    subentry_id = subentry_called(entry, name).subentry_id
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, subentry_id), entry.entry_id)
    assert device is not None
    return device.id


async def act(hass: HomeAssistant, entry: Any, action: str) -> dict[str, Any]:
    """Carry out an action about the charge point and return its answer."""
    answer = await hass.services.async_call(
        DOMAIN, action, {"device_id": device_of(hass, entry)}, blocking=True, return_response=True
    )
    assert answer is not None
    answers = answer["answers"]
    assert isinstance(answers, list)
    [told] = answers
    assert isinstance(told, dict)
    return told


async def online(hass: HomeAssistant, entry: Any) -> None:
    """Wait until the charge point can be asked something."""
    site = entry.runtime_data.site
    [point] = site.charge_points
    async with asyncio.timeout(20):
        while not site.charge_points[point].online:
            changed = asyncio.Event()
            stop = site.subscribe(f"charge_point:{point}", changed.set)
            if not site.charge_points[point].online:
                await changed.wait()
            stop()
    await hass.async_block_till_done()


async def a_running_site(hass: HomeAssistant, **changes: Any) -> tuple[Any, Wallbox]:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1", security="basic", key=KEY), **changes))
    return entry, Wallbox(port)


def configured_key(entry: Any) -> str:
    return str(subentry_called(entry, "CP1").data["key"])


async def new_key_of(point: ChargePoint) -> str:
    """Return the key that a charge point is asked to take, when that has come."""
    count = 0
    while True:
        count += 1
        payload = await point.was_asked("ChangeConfiguration", count)
        if payload["key"] == "AuthorizationKey":
            return str(payload["value"])


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custom_components.charge_cluster.site.rotation.RETURN_PATIENCE_S", 0.2)


# Keys ---------------------------------------------------------------------------------------------------------------


async def test_a_key_is_changed_over_and_the_old_one_ends_when_the_new_one_is_used(hass: HomeAssistant) -> None:
    entry, box = await a_running_site(hass)
    point = await box.dial()
    await online(hass, entry)

    told = await act(hass, entry, "rotate_key")

    assert told["result"] == "taken"
    [new] = box.offered
    assert KEY not in str(told)
    assert new not in str(told)
    assert configured_key(entry) == KEY

    box.key = new
    await point.close()
    again = await box.dial()
    await online(hass, entry)
    assert configured_key(entry) == new
    assert box.offered == [new]  # it is not given what it came with
    await again.close()
    box.key = KEY
    with pytest.raises(Refused):
        await box.dial()


async def test_one_that_dials_in_anew_at_once_is_done(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custom_components.charge_cluster.site.rotation.RETURN_PATIENCE_S", 20.0)
    entry, box = await a_running_site(hass)
    point = await box.dial()
    await online(hass, entry)

    rotating = asyncio.ensure_future(act(hass, entry, "rotate_key"))
    await new_key_of(point)
    box.key = box.offered[0]
    await box.dial()

    assert (await rotating)["result"] == "done"
    await hass.async_block_till_done()
    assert configured_key(entry) == box.key


async def test_the_old_key_goes_on_opening_the_door_of_one_that_never_uses_the_new_one(hass: HomeAssistant) -> None:
    entry, box = await a_running_site(hass)
    point = await box.dial()
    await online(hass, entry)
    await act(hass, entry, "rotate_key")

    await point.close()
    await box.dial()
    await online(hass, entry)

    assert configured_key(entry) == KEY
    second = await act(hass, entry, "rotate_key")
    assert second["result"] == "taken"
    assert box.offered[0] == box.offered[1]  # a third key could lock it out


async def test_one_that_takes_long_keys_only_gets_one(hass: HomeAssistant) -> None:
    entry, box = await a_running_site(hass)
    box.takes = lambda key: "Accepted" if len(key) == 40 else "Rejected"
    point = await box.dial()
    await online(hass, entry)

    assert (await act(hass, entry, "rotate_key"))["result"] == "taken"

    # It means the bytes that the digits stand for, as the first edition of OCPP 1.6 does.
    await point.close()
    client = await RawClient.dial(box.port, "/CP1", password=bytes.fromhex(box.offered[-1]))
    assert await client.is_served()
    await hass.async_block_till_done()
    assert configured_key(entry) == box.offered[-1]


async def test_one_that_refuses_keeps_its_key(hass: HomeAssistant) -> None:
    entry, box = await a_running_site(hass)
    box.takes = lambda _key: "Rejected"
    point = await box.dial()
    await online(hass, entry)

    with pytest.raises(HomeAssistantError) as refused:
        await act(hass, entry, "rotate_key")

    assert refused.value.translation_key == "key_refused"
    await point.close()
    for offered in box.offered:
        box.key = offered
        with pytest.raises(Refused):
            await box.dial()
    box.key = KEY
    await box.dial()


async def test_one_whose_answer_is_lost_may_come_with_either(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.charge_cluster.ocpp.rpc.CALL_TIMEOUT_S", 0.2)
    entry, box = await a_running_site(hass)
    point = await box.dial()
    await online(hass, entry)
    point.silent_on.add("ChangeConfiguration")

    rotating = asyncio.ensure_future(act(hass, entry, "rotate_key"))
    new = await new_key_of(point)
    assert (await rotating)["result"] == "unknown"

    await point.close()
    await (await box.dial()).close()
    box.key = new
    await box.dial()
    await hass.async_block_till_done()
    assert configured_key(entry) == new


async def test_one_that_comes_without_a_key_has_none_to_change(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    await Wallbox(port).dial()
    await online(hass, entry)

    with pytest.raises(HomeAssistantError) as refused:
        await act(hass, entry, "rotate_key")
    assert refused.value.translation_key == "no_key"


async def test_a_key_that_is_not_used_for_a_week_is_told(hass: HomeAssistant) -> None:
    entry, box = await a_running_site(hass)
    await box.dial()
    await online(hass, entry)
    await act(hass, entry, "rotate_key")
    runtime = entry.runtime_data

    async def problems() -> list[str]:
        await runtime.installation.secure(runtime.site.settings.listener)
        return [problem.key for problem in runtime.site.problems_at_door]

    assert await problems() == []
    clock = runtime.installation.clock
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(clock), "time", lambda _clock: time.time() + 8 * 86400.0)
        assert await problems() == ["key_not_changed"]


async def test_no_key_is_ever_logged(hass: HomeAssistant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    entry, box = await a_running_site(hass)
    point = await box.dial()
    await online(hass, entry)
    await act(hass, entry, "rotate_key")
    await point.close()
    box.key = box.offered[0]
    await box.dial()
    await online(hass, entry)

    ours = "\n".join(record.getMessage() for record in caplog.records if "charge_cluster" in record.name)
    assert box.offered[0] not in ours
    assert KEY not in ours


# Certificates -------------------------------------------------------------------------------------------------------


async def the_authority(hass: HomeAssistant) -> str:
    answer = await hass.services.async_call(DOMAIN, "get_authority", {}, blocking=True, return_response=True)
    assert answer is not None
    return str(answer["certificate"])


async def enrol(point: ChargePoint, name: str) -> tuple[Any, tuple[str, str] | None]:
    """Ask for a certificate as a charge point does; return the answer, and what was brought with its key."""
    key = ec_key()
    answer = (await point.tell("SignCertificate", {"csr": request_for(name, key)}))[2]
    if answer != {"status": "Accepted"}:
        return answer, None
    payload = await point.was_asked("CertificateSigned")
    return answer, (payload["certificateChain"], pem_of(key))


async def test_from_a_key_over_tls_to_a_certificate_of_its_own(hass: HomeAssistant, tmp_path: Path) -> None:
    entry, box = await a_running_site(hass, tls="authority")
    trusted = await the_authority(hass)
    box.tls = client_context(trusted)
    point = await box.dial()
    await online(hass, entry)
    point.answers["CertificateSigned"] = lambda _: {"status": "Accepted"}

    renewing = asyncio.ensure_future(act(hass, entry, "renew_certificate"))
    asked = await point.was_asked("ExtendedTriggerMessage")
    assert asked["requestedMessage"] == "SignChargePointCertificate"
    _, own = await enrol(point, "CP1")
    assert "valid_until" in await renewing
    assert own is not None

    await point.close()
    client = await RawClient.dial(box.port, "/CP1", tls=client_context(trusted, own, tmp_path))
    assert await client.is_served()
    runtime = entry.runtime_data
    assert runtime.installation.profile_of(runtime.site.settings, "CP1") == 3
    assert point.offended == []


async def test_nothing_is_signed_for_another_name_or_too_often(hass: HomeAssistant) -> None:
    entry, box = await a_running_site(hass, tls="authority")
    point = await box.dial()
    await online(hass, entry)

    answer = (await point.tell("SignCertificate", {"csr": request_for("CP2")}))[2]
    assert answer == {"status": "Accepted"}
    answer = (await point.tell("SignCertificate", {"csr": request_for("CP1")}))[2]
    assert answer == {"status": "Rejected"}
    assert not [action for action, _ in point.asked if action == "CertificateSigned"]
    assert entry.runtime_data.installation.trust.given_to("CP1") is None


@pytest.mark.parametrize(
    "payload", [{}, {"csr": 7}, {"csr": "x" * 6000}, {"csr": "x", "certificateType": "V2GCertificate"}]
)
async def test_what_is_no_request_is_rejected(hass: HomeAssistant, payload: Any) -> None:
    entry, box = await a_running_site(hass, tls="authority")
    point = await box.dial()
    await online(hass, entry)

    assert (await point.tell("SignCertificate", payload))[2] == {"status": "Rejected"}


async def test_who_has_proved_nothing_gets_no_certificate(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), tls="authority"))
    point = await Wallbox(port).dial()
    await online(hass, entry)

    await point.tell("SignCertificate", {"csr": request_for("CP1")})
    await point.tell("Heartbeat", {})
    await hass.async_block_till_done()

    assert entry.runtime_data.installation.trust.given_to("CP1") is None


async def test_one_that_does_not_take_its_certificate_is_told(hass: HomeAssistant) -> None:
    entry, box = await a_running_site(hass, tls="authority")
    point = await box.dial()
    await online(hass, entry)
    point.answers["CertificateSigned"] = lambda _: {"status": "Rejected"}

    renewing = asyncio.ensure_future(act(hass, entry, "renew_certificate"))
    await point.was_asked("ExtendedTriggerMessage")
    await enrol(point, "CP1")

    with pytest.raises(HomeAssistantError) as refused:
        await renewing
    assert refused.value.translation_key == "certificate_not_taken"


async def test_a_certificate_is_renewed_before_it_runs_out(hass: HomeAssistant, tmp_path: Path) -> None:
    entry, box = await a_running_site(hass, tls="authority")
    trusted = await the_authority(hass)
    installation = entry.runtime_data.installation
    key = ec_key()
    issued = await installation.trust.give("CP1", {"CP1"}, request_for("CP1", key))
    box.tls = client_context(trusted, (issued.chain, pem_of(key)), tmp_path)
    point = await box.dial()
    await online(hass, entry)
    [listener] = installation._listeners.values()

    installation._renew_certificates(listener.central)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(installation.clock), "time", lambda _clock: time.time() + 600 * 86400.0)
        installation._renew_certificates(listener.central)
        installation._renew_certificates(listener.central)
        await point.was_asked("ExtendedTriggerMessage")
        await hass.async_block_till_done()

    assert [action for action, _ in point.asked].count("ExtendedTriggerMessage") == 1


# Security events ----------------------------------------------------------------------------------------------------


async def test_security_events_are_shown_and_bounded(hass: HomeAssistant) -> None:
    entry, box = await a_running_site(hass)
    point = await box.dial()
    await online(hass, entry)
    entity_id = er.async_get(hass).async_get_entity_id(
        "event", DOMAIN, f"{subentry_called(entry, 'CP1').subentry_id}-security"
    )
    assert entity_id is not None

    def event(kind: Any) -> dict[str, Any]:
        return {"type": kind, "timestamp": "2026-11-01T00:00:00Z", "techInfo": "idTag 04AABB"}

    async def told(kind: Any) -> Any:
        assert (await point.tell("SecurityEventNotification", event(kind)))[2] == {}
        await hass.async_block_till_done()
        return hass.states.get(entity_id)

    state = await told("InvalidTLSVersion")
    assert state.attributes["event_type"] == "invalid_tls_version"
    state = await told("MakersOwn\nEvent")
    assert (state.attributes["event_type"], state.attributes["reported"]) == ("other", "MakersOwnEvent")
    assert "04AABB" not in str(state.as_dict())
    assert await told(None) == state
    for _ in range(80):
        state = await told("MemoryExhaustion")
    assert await told("InvalidMessages") == state
