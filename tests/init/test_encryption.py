"""Sites whose charge points come over TLS, in a running Home Assistant and at real sockets, by each profile."""

import asyncio
import ssl
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.charge_cluster.site.installation import Installation
from tests.ocpp.certificates import Certified, certified, client_context, ec_key, pem_of, request_for
from tests.ocpp.raw_client import RawClient, Refused
from tests.site_entry import DOMAIN, a_charge_point, a_site, free_port, set_up, subentry_called

KEY = "00112233445566778899"


async def the_authority(hass: HomeAssistant) -> dict[str, Any]:
    answer = await hass.services.async_call(DOMAIN, "get_authority", {}, blocking=True, return_response=True)
    assert answer is not None
    return dict(answer)


async def dialled(port: int, identity: str, tls: ssl.SSLContext | None = None, key: str | None = None) -> RawClient:
    password = None if key is None else key.encode()
    return await RawClient.dial(port, f"/{identity}", password=password, tls=tls)


async def status_of(port: int, identity: str, tls: ssl.SSLContext | None = None, key: str | None = None) -> int:
    """Return how a charge point is refused."""
    with pytest.raises(Refused) as refused:
        await dialled(port, identity, tls, key)
    return refused.value.status


def profile_of(entry: Any, identity: str) -> int | None:
    runtime = entry.runtime_data
    installation: Installation = runtime.installation
    return installation.profile_of(runtime.site.settings, identity)


async def look_again(entry: Any) -> None:
    """Have the listener look at its certificates, as it does every minute, and the site at its problems."""
    runtime = entry.runtime_data
    await runtime.installation.secure(runtime.site.settings.listener)


async def shown(entry: Any) -> None:
    """Wait until the site has told its problems anew."""
    told = asyncio.Event()
    stop = entry.runtime_data.site.subscribe("site", told.set)
    async with asyncio.timeout(10):
        await told.wait()
    stop()
    await entry.runtime_data.coordinator.hass.async_block_till_done()


async def test_profiles_0_and_1_are_as_they_were(hass: HomeAssistant) -> None:
    entry = await set_up(
        hass, a_site(port := free_port(), a_charge_point("P0"), a_charge_point("P1", security="basic", key=KEY))
    )

    clients = [await dialled(port, "P0"), await dialled(port, "P1", key=KEY)]

    assert [await client.is_served() for client in clients] == [True, True]
    assert (profile_of(entry, "P0"), profile_of(entry, "P1")) == (0, 1)
    assert await status_of(port, "P1", key="another-key") == 401


async def test_profile_2_with_the_embedded_authority(hass: HomeAssistant) -> None:
    entry = await set_up(
        hass, a_site(port := free_port(), a_charge_point("P2", security="tls", key=KEY), tls="authority")
    )
    tls = client_context((await the_authority(hass))["certificate"])

    client = await dialled(port, "P2", tls, KEY)

    assert await client.is_served()
    assert profile_of(entry, "P2") == 2
    assert await status_of(port, "P2", key=KEY) == 403  # it has to come encrypted
    assert await status_of(port, "P2", tls, "another-key") == 401


async def test_profile_3_by_a_certificate_that_was_given(hass: HomeAssistant, tmp_path: Path) -> None:
    entry = await set_up(
        hass, a_site(port := free_port(), a_charge_point("P3", security="certificate", key=KEY), tls="authority")
    )
    trusted = (await the_authority(hass))["certificate"]
    key = ec_key()
    issued = await entry.runtime_data.installation.trust.give("P3", {"P3"}, request_for("P3", key))
    tls = client_context(trusted, (issued.chain, pem_of(key)), tmp_path)

    client = await dialled(port, "P3", tls)

    assert await client.is_served()
    assert profile_of(entry, "P3") == 3
    assert await status_of(port, "P3", client_context(trusted), KEY) == 403  # the key alone does not do

    hass.config_entries.async_remove_subentry(entry, subentry_called(entry, "P3").subentry_id)
    await hass.async_block_till_done()
    assert await client.closed() is not None
    assert await status_of(port, "P3", tls) == 403  # revoked


async def test_profile_3_by_a_certificate_of_the_owners_authority(hass: HomeAssistant, tmp_path: Path) -> None:
    above = certified("Owner", authority=True, names=())
    entry = await set_up(
        hass,
        a_site(
            port := free_port(),
            a_charge_point("P3", security="tls", key=KEY),
            tls="authority",
            client_authority=above.pem,
            client_certificates=True,
        ),
    )
    trusted = (await the_authority(hass))["certificate"]
    own = certified("P3", by=above, names=())
    tls = client_context(trusted, (own.pem, own.key), tmp_path)

    assert await (await dialled(port, "P3", tls)).is_served()
    assert profile_of(entry, "P3") == 3
    assert await status_of(port, "P3", client_context(trusted), KEY) == 403


async def test_switching_tls_on_and_off_interrupts_nobody(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), a_charge_point("CP2")))
    plain = await dialled(port, "CP1")

    hass.config_entries.async_update_entry(entry, data={**entry.data, "tls": "authority"})
    await hass.async_block_till_done()
    encrypted = await dialled(port, "CP2", client_context((await the_authority(hass))["certificate"]))
    assert await plain.is_served()

    hass.config_entries.async_update_entry(entry, data={k: v for k, v in entry.data.items() if k != "tls"})
    await hass.async_block_till_done()
    assert await encrypted.is_served()
    assert await plain.is_served()


class Files:
    """A certificate of the owner's in files."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "owner.pem", folder / "owner.key"

    def write(self, own: Certified) -> None:
        self.certificate.write_text(own.pem)
        self.key.write_text(own.key)

    def fields(self) -> dict[str, Any]:
        return {"tls": "own", "tls_certificate": str(self.certificate), "tls_key": str(self.key)}


async def test_the_owners_certificate_is_read_again_when_its_file_changes(hass: HomeAssistant, tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(first := certified())
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), **files.fields()))
    standing = await dialled(port, "CP1", client_context(first.pem))

    files.write(second := certified())
    await look_again(entry)

    assert await standing.is_served()
    assert await (await dialled(port, "CP1", client_context(second.pem))).is_served()


async def test_what_is_in_force_stays_when_the_file_is_gone(hass: HomeAssistant, tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write(own := certified(until=timedelta(days=5)))
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), tls_only=True, **files.fields()))
    registry = ir.async_get(hass)

    files.key.unlink()
    await look_again(entry)

    assert await (await dialled(port, "CP1", client_context(own.pem))).is_served()
    site_id = entry.entry_id
    await shown(entry)
    assert registry.async_get_issue(DOMAIN, f"tls_unavailable_{site_id}_{site_id}") is not None
    issue = registry.async_get_issue(DOMAIN, f"certificate_expires_{site_id}_{site_id}")
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["date"] == time.strftime("%Y-%m-%d", time.gmtime(time.time() + 5 * 86400))

    files.write(certified())
    await look_again(entry)
    await shown(entry)
    assert registry.async_get_issue(DOMAIN, f"tls_unavailable_{site_id}_{site_id}") is None
    assert registry.async_get_issue(DOMAIN, f"certificate_expires_{site_id}_{site_id}") is None


async def test_without_its_certificate_a_site_takes_nobody_unencrypted_that_it_should_not(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    files = Files(tmp_path)
    await set_up(hass, a_site(port := free_port(), a_charge_point("CP1"), tls_only=True, **files.fields()))

    with pytest.raises((ConnectionError, IndexError)):
        await dialled(port, "CP1")


async def test_a_second_port_that_is_taken_is_told_and_the_first_goes_on(hass: HomeAssistant) -> None:
    taken = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    entry = await set_up(hass, a_site(port := free_port(), a_charge_point("CP1")))
    plain = await dialled(port, "CP1")

    changed = {**entry.data, "tls": "authority", "tls_port": taken.sockets[0].getsockname()[1]}
    hass.config_entries.async_update_entry(entry, data=changed)
    await hass.async_block_till_done()

    assert await plain.is_served()
    assert [problem.key for problem in entry.runtime_data.site.problems_at_door] == ["tls_unavailable"]
    taken.close()
    await look_again(entry)
    assert entry.runtime_data.site.problems_at_door == ()


async def test_the_authority_outlives_a_restart_and_its_key_is_for_nobody_else(
    hass: HomeAssistant, hass_storage: dict[str, Any], hass_client: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, a_site(free_port(), tls="authority"))
    told = await the_authority(hass)
    assert "PRIVATE" not in str(told)
    kept = hass_storage["charge_cluster.trust"]["data"]["authority"]
    assert kept["certificate"] == told["certificate"]
    assert "PRIVATE" in kept["key"]

    client = await hass_client()
    fetched = await client.get(told["url"])
    assert (await fetched.text(), fetched.status) == (told["certificate"], 200)
    assert told["filename"] in fetched.headers["Content-Disposition"]

    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.data[DOMAIN].installation.close()
    hass.data[DOMAIN].installation = None
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert (await the_authority(hass))["fingerprint"] == told["fingerprint"]
