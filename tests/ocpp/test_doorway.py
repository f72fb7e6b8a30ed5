"""What is read from a request before any OCPP."""

import base64

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.ocpp.doorway import Arrival, Refusal, arrival, identity_of
from custom_components.charge_cluster.ocpp.versions import Agreed, OcppVersion

UPGRADE = {"Upgrade": "websocket"}


def arrived(path: str = "/CP1", **headers: str) -> Arrival:
    found = arrival(path, "10.0.0.7", UPGRADE | {name.replace("_", "-"): value for name, value in headers.items()})
    assert isinstance(found, Arrival)
    return found


def basic(content: bytes) -> str:
    return "Basic " + base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/CP1", "CP1"),
        ("/ocpp/16/CP1", "CP1"),
        ("/ocpp/CP1/", "CP1"),
        ("/ocpp/CP1?token=x", "CP1"),
        ("/ocpp/Hall%20A%2F7", "Hall A/7"),
        ("/ocpp/S%C3%BCd", "Süd"),
        ("/", None),
        ("", None),
        ("/%ff", None),
        ("/%00", None),
        ("/%20CP1", None),
        ("/" + "x" * 65, None),
    ],
)
def test_the_identity_is_the_last_part_of_the_path(path: str, identity: str | None) -> None:
    assert identity_of(path) == identity


@given(st.text())
def test_any_path_has_an_identity_or_none(path: str) -> None:
    identity_of(path)


@given(st.text(), st.text())
def test_any_header_is_read(authorization: str, offers: str) -> None:
    arrival("/CP1", None, UPGRADE | {"Authorization": authorization, "Sec-WebSocket-Protocol": offers})


def test_a_password_may_hold_any_bytes() -> None:
    assert arrived(Authorization=basic(b"CP1:\xff:\x00")).password == b"\xff:\x00"


def test_an_identity_may_hold_a_colon() -> None:
    assert arrived("/A%3AB", Authorization=basic(b"A:B:secret")).password == b"secret"


def test_a_password_is_never_shown() -> None:
    assert "secret" not in repr(arrived(Authorization=basic(b"CP1:secret")))


def test_another_user_name_is_refused() -> None:
    assert arrival("/CP1", None, UPGRADE | {"Authorization": basic(b"CP2:secret")}) is Refusal.OTHER_USER


def test_a_browser_is_refused() -> None:
    assert arrival("/CP1", None, {}) is Refusal.NO_WEBSOCKET


@pytest.mark.parametrize(
    ("offers", "version", "subprotocol"),
    [
        ("", "1.6", None),
        ("ocpp1.6", "1.6", "ocpp1.6"),
        ("OCPP1.6", "1.6", "OCPP1.6"),
        ("ocpp2.0, ocpp1.6", "1.6", "ocpp1.6"),
    ],
)
def test_the_best_version_of_those_that_are_offered_is_spoken(
    offers: str, version: str, subprotocol: str | None
) -> None:
    agreed = arrived(Sec_WebSocket_Protocol=offers).agree(None)
    assert agreed == Agreed(version=OcppVersion(version), subprotocol=subprotocol)


@pytest.mark.parametrize("offers", ["ocpp2.0", "ocpp1.5, mqtt"])
def test_without_a_version_that_we_speak_there_is_nothing_to_say(offers: str) -> None:
    assert arrived(Sec_WebSocket_Protocol=offers).agree(None) is None


def test_the_owner_may_insist_on_a_version() -> None:
    both = arrived(Sec_WebSocket_Protocol="ocpp2.0.1, ocpp1.6")
    assert both.agree(OcppVersion.V16) == Agreed(version=OcppVersion.V16, subprotocol="ocpp1.6")
    assert both.agree(OcppVersion.V21) is None
    silent = arrived()
    assert silent.agree(OcppVersion.V201) == Agreed(version=OcppVersion.V201, subprotocol=None)
