"""The part of a site's form that is about encryption."""

from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from tests.ocpp.certificates import certified, pem_of, rsa_key
from tests.site_entry import a_charge_point, a_site, free_port, set_up

from .test_site_flow import filled_in, submitted


async def changed(hass: HomeAssistant, entry: Any, **encryption: Any) -> Any:
    """Return what became of a change of a site's encryption."""
    flow = await entry.start_reconfigure_flow(hass)
    form = filled_in(entry.data["port"], encryption=encryption)
    result = await hass.config_entries.flow.async_configure(flow["flow_id"], form)
    await hass.async_block_till_done()
    return result


async def test_a_site_with_the_embedded_authority(hass: HomeAssistant) -> None:
    form = filled_in(free_port(), encryption={"tls": "authority", "tls_names": "depot.example, 10.0.0.5"})

    result = await submitted(hass, form)

    tls = result["result"].runtime_data.site.settings.tls
    assert (tls.mode, tls.names, tls.only, tls.port) == ("authority", ("depot.example", "10.0.0.5"), False, None)


async def test_a_certificate_of_the_owners_and_its_key_which_is_not_shown_again(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    own = certified()
    result = await changed(hass, entry, tls="own", tls_certificate=own.pem, tls_key=own.key)
    assert result["type"] is FlowResultType.ABORT, result
    assert entry.data["tls_key"] == own.key.strip()

    flow = await entry.start_reconfigure_flow(hass)
    assert flow["data_schema"] is not None
    assert "PRIVATE" not in repr([marker.description for marker in flow["data_schema"].schema])
    await changed(hass, entry, tls="own", tls_certificate=own.pem, tls_only=True)
    assert entry.data["tls_key"] == own.key.strip()
    assert entry.runtime_data.site.settings.tls.only

    await changed(hass, entry, tls="none")
    assert not [name for name in entry.data if name.startswith("tls")]


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"tls_certificate": "no.pem", "tls_key": "no.key"}, {"tls_certificate": "file_unreadable"}),
        ({"tls_certificate": certified().pem, "tls_key": pem_of(rsa_key())}, {"tls_key": "key_does_not_match"}),
        ({"tls_certificate": certified().pem, "tls_key": "-----BEGIN X-----"}, {"tls_key": "key_unreadable"}),
        ({"tls_certificate": certified().pem}, {"tls_key": "key_unreadable"}),
    ],
)
async def test_what_would_keep_charge_points_out_is_refused_at_its_field(
    hass: HomeAssistant, given: dict[str, str], errors: dict[str, str]
) -> None:
    entry = await set_up(hass, a_site(free_port()))

    assert (await changed(hass, entry, tls="own", **given))["errors"] == errors


async def test_a_certificate_for_another_host_is_refused_with_its_names(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))
    own = certified(names=("depot.example",))

    result = await changed(hass, entry, tls="own", tls_certificate=own.pem, tls_key=own.key)

    assert result["errors"] == {"tls_certificate": "host_not_named"}
    assert result["description_placeholders"]["names"] == "depot.example"
    assert result["description_placeholders"]["host"] == "127.0.0.1"


async def test_the_authority_of_charge_points_has_to_be_one(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(free_port()))

    result = await changed(hass, entry, tls="authority", client_authority=certified().pem)

    assert result["errors"] == {"client_authority": "no_authority"}


async def test_the_port_for_tls_is_another_or_none(hass: HomeAssistant) -> None:
    entry = await set_up(hass, a_site(port := free_port()))

    assert (await changed(hass, entry, tls="authority", tls_port=port))["errors"] == {
        "tls_port": "tls_port_is_the_other"
    }


async def test_tls_cannot_be_switched_off_while_charge_points_need_it(hass: HomeAssistant) -> None:
    point = a_charge_point("CP1", security="tls", key="00112233445566778899")
    entry = await set_up(hass, a_site(free_port(), point, tls="authority"))

    result = await changed(hass, entry, tls="none")

    assert result["errors"] == {"base": "tls_is_off"}
    assert result["description_placeholders"]["charge_point"] == "CP1"


async def test_sites_that_share_a_port_share_its_encryption(hass: HomeAssistant) -> None:
    await set_up(hass, a_site(port := free_port(), tls="authority"))

    other = filled_in(port, name="Yard", encryption={"tls": "authority", "tls_only": True})
    result = await submitted(hass, other)

    assert result["errors"] == {"tls": "tls_of_another_site"}
    assert result["description_placeholders"]["site"] == "Depot"
