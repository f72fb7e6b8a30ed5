"""The commissioning report is fetched by administrators, or by a link that one of them was given."""

import subprocess
import sys
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.http.auth import async_sign_path
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    MockHAClientWebSocket,
    WebSocketGenerator,
)

from custom_components.charge_cluster.site.commissioning.findings import CommissioningTest, Finding, Verdict
from custom_components.charge_cluster.site.problems import Problem, ProblemKey, Severity
from custom_components.charge_cluster.site.site import Site
from tests.report.stage import text_of
from tests.site_entry import DOMAIN, a_charge_point, a_cluster, a_site, free_port, set_up, subentry_called

from .stage import answer

REPOSITORY = Path(__file__).parents[2]


def path_of(entry_id: str) -> str:
    return f"/api/charge_cluster/report/{entry_id}.pdf"


async def a_depot(hass: HomeAssistant) -> MockConfigEntry:
    return await set_up(hass, a_site(free_port(), a_cluster("Cluster B"), a_charge_point("CP1")))


async def asked_for(socket: MockHAClientWebSocket, **fields: Any) -> dict[str, Any]:
    """Ask for the report as the frontend does."""
    await socket.send_json_auto_id(
        {
            "type": "call_service",
            "domain": DOMAIN,
            "service": "commissioning_report",
            "service_data": fields,
            "return_response": True,
        }
    )
    reply = await socket.receive_json()
    assert reply["success"]
    return dict(reply["result"]["response"])


async def test_the_link_of_an_administrator_leads_to_the_report_without_logging_in(
    hass: HomeAssistant, hass_ws_client: WebSocketGenerator, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await a_depot(hass)

    told = await asked_for(await hass_ws_client(hass), config_entry_id=entry.entry_id)
    reply = await (await hass_client_no_auth()).get(told["url"])

    assert reply.status == HTTPStatus.OK
    assert reply.content_type == "application/pdf"
    assert reply.headers["Content-Disposition"] == f'attachment; filename="{told["filename"]}"'
    assert told["filename"].startswith("depot_commissioning_")
    text = text_of(await reply.read())
    assert text.startswith("Commissioning report Depot")
    assert "CP1 (CP1)" in text
    assert "Cluster B" in text


async def test_an_automation_is_given_a_link_too(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await a_depot(hass)

    told = await answer(hass, "commissioning_report")

    reply = await (await hass_client_no_auth()).get(told["url"])
    assert reply.status == HTTPStatus.OK


async def test_the_link_runs_out(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator, freezer: FrozenDateTimeFactory
) -> None:
    await a_depot(hass)
    told = await answer(hass, "commissioning_report")
    client = await hass_client_no_auth()

    freezer.tick(timedelta(minutes=9))
    assert (await client.get(told["url"])).status == HTTPStatus.OK
    freezer.tick(timedelta(minutes=2))
    assert (await client.get(told["url"])).status == HTTPStatus.UNAUTHORIZED


async def test_nobody_else_is_let_in(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    hass_client_no_auth: ClientSessionGenerator,
    hass_read_only_access_token: str,
) -> None:
    entry = await a_depot(hass)
    path = path_of(entry.entry_id)

    stranger = await hass_client_no_auth()
    assert (await stranger.get(path)).status == HTTPStatus.UNAUTHORIZED
    member = await hass_client(hass_read_only_access_token)
    assert (await member.get(path)).status == HTTPStatus.UNAUTHORIZED
    token = hass.auth.async_validate_access_token(hass_read_only_access_token)
    assert token is not None
    signed = async_sign_path(hass, path, timedelta(minutes=1), refresh_token_id=token.id)
    assert (await stranger.get(signed)).status == HTTPStatus.UNAUTHORIZED
    administrator = await hass_client()
    assert (await administrator.get(path)).status == HTTPStatus.OK


async def test_a_link_leads_to_its_own_site_only(
    hass: HomeAssistant, hass_client_no_auth: ClientSessionGenerator
) -> None:
    first = await a_depot(hass)
    second = await set_up(hass, a_site(free_port(), name="Office"))

    told = await answer(hass, "commissioning_report", config_entry_id=first.entry_id)
    signature = told["url"].partition("?")[2]

    reply = await (await hass_client_no_auth()).get(f"{path_of(second.entry_id)}?{signature}")
    assert reply.status == HTTPStatus.UNAUTHORIZED


async def test_what_is_no_site_or_does_not_run_is_not_found(
    hass: HomeAssistant, hass_client: ClientSessionGenerator
) -> None:
    entry = await a_depot(hass)
    other = MockConfigEntry(domain="other")
    other.add_to_hass(hass)
    client = await hass_client()

    assert (await client.get(path_of("nobody"))).status == HTTPStatus.NOT_FOUND
    assert (await client.get(path_of(other.entry_id))).status == HTTPStatus.NOT_FOUND
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert (await client.get(path_of(entry.entry_id))).status == HTTPStatus.NOT_FOUND
    with pytest.raises(ServiceValidationError):
        await answer(hass, "commissioning_report", config_entry_id=entry.entry_id)


async def test_the_report_tells_findings_and_open_problems(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubtful = {"charge_point": "CP1", "connector": "1", "found": "16", "fallback": "0", "maximum": "32"}
    problems = (
        Problem(key=ProblemKey.FALLBACK_NOT_KEPT, subject="x", severity=Severity.ERROR, placeholders=doubtful),
        Problem(key=ProblemKey.LEDGER_REPLACED, subject="x", severity=Severity.ERROR, placeholders={"source": "fresh"}),
    )
    monkeypatch.setattr(Site, "problems", lambda _site: problems)
    entry = await set_up(hass, a_site(free_port(), a_charge_point("CP1")))
    site = entry.runtime_data.site
    key = f"{subentry_called(entry, 'CP1').subentry_id}/1"
    site.commissioning.load(
        [
            Finding(
                subject=key,
                test=CommissioningTest.CONNECTION_LOSS,
                verdict=Verdict.FAILED,
                at=1_800_000_000.0,
                firmware="1.4",
                figures={"fallback_a": 16.0, "configured_a": 0.0},
            )
        ]
    )

    text = text_of(await (await (await hass_client()).get(path_of(entry.entry_id))).read())

    assert "After its connection was lost it drew 16 A; its fallback is 0 A." in text
    assert "CP1 does not keep its fallback Left alone, connector 1 of CP1 at Depot drew 16 A" in text
    assert "Set a lower hardware maximum" not in text
    assert "The records were damaged and begin anew" in text
    assert "{" not in text


async def test_words_that_the_fonts_cannot_show_are_english(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = await a_depot(hass)
    hass.config.language = "el"
    from custom_components.charge_cluster import report_download, words  # noqa: PLC0415 - what is replaced here

    async def in_greek(hass: HomeAssistant, category: str = words.COMMON, *, language: str | None = None) -> Any:
        found = await words.words_of(hass, category, language="en")
        return found if language == "en" else found | {"report_title": "Αναφορά"}

    monkeypatch.setattr(report_download, "words_of", in_greek)

    text = text_of(await (await (await hass_client()).get(path_of(entry.entry_id))).read())

    assert text.startswith("Commissioning report Depot")


def test_who_never_asks_for_a_report_does_not_pay_for_it() -> None:
    begun = "import sys, custom_components.charge_cluster; sys.exit('fpdf' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", begun], cwd=REPOSITORY, check=False).returncode == 0  # noqa: S603 - our own words
