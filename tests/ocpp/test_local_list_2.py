"""The list of tokens in OCPP 2.x, and what a charge point that speaks it decides without us."""

import asyncio
from typing import Any

from custom_components.charge_cluster.ocpp.local_list import ListedToken, OfflineRule, TokenPolicy
from custom_components.charge_cluster.ocpp.tokens import TokenType

from .charge_point_2 import ChargePoint2
from .stage import Stage2, virtually_2

KNOWN = OfflineRule(lists=True, everybody=False, at_once=True, remembers=True)
FREE = OfflineRule(lists=True, everybody=True, at_once=False, remembers=False, free=True)

LOCKED = {
    ("AuthCtrlr", "Enabled"): "true",
    ("AuthCtrlr", "LocalAuthorizeOffline"): "false",
    ("AuthCtrlr", "LocalPreAuthorize"): "false",
    ("AuthCtrlr", "OfflineTxForUnknownIdEnabled"): "true",
    ("AuthCtrlr", "AuthorizeRemoteStart"): "true",
    ("TxCtrlr", "StopTxOnInvalidId"): "false",
    ("AuthCacheCtrlr", "Enabled"): "true",
    ("LocalAuthListCtrlr", "Enabled"): "false",
    ("LocalAuthListCtrlr", "ItemsPerMessage"): "2",
}


def policy(version: int, *tokens: ListedToken, rule: OfflineRule = KNOWN) -> TokenPolicy:
    return TokenPolicy(rule=rule, version=version, tokens=tokens)


class Keeper2:
    """A list in a charge point."""

    def __init__(self) -> None:
        self.version = 0
        self.tokens: dict[str, Any] = {}
        self.kinds: list[str] = []

    def answers(self) -> dict[str, Any]:
        return {"GetLocalListVersion": lambda _: {"versionNumber": self.version}, "SendLocalList": self.take}

    def take(self, payload: Any) -> Any:
        self.kinds.append(payload["updateType"])
        entries = payload.get("localAuthorizationList", [])
        assert len(entries) <= 2
        if payload["updateType"] == "Full":
            self.tokens = {}
        elif payload["versionNumber"] <= self.version:
            return {"status": "VersionMismatch"}
        for entry in entries:
            if "idTokenInfo" in entry:
                self.tokens[entry["idToken"]["idToken"]] = entry
            else:
                del self.tokens[entry["idToken"]["idToken"]]
        self.version = payload["versionNumber"]
        return {"status": "Accepted"}


async def begun(stage: Stage2, wanted: TokenPolicy, **answers: Any) -> ChargePoint2:
    stage.conversation.keep_tokens(wanted)
    point = await stage.connect(**answers)
    point.variables |= LOCKED
    await point.boot()
    await asyncio.sleep(20)
    return point


@virtually_2
async def test_a_charge_point_gets_the_list_and_the_variables_that_its_rule_means(stage: Stage2) -> None:
    keeper = Keeper2()
    ann = ListedToken(id_tag="ANN", group="OFFICE", expires_at=1_900_000_000.0)
    code = ListedToken(id_tag="1234", kind=TokenType.KEY_CODE)
    point = await begun(stage, policy(5000, ann, code, ListedToken(id_tag="BOB")), **keeper.answers())
    assert keeper.kinds == ["Full", "Differential"]
    assert keeper.version == 5000
    assert keeper.tokens["ANN"] == {
        "idToken": {"idToken": "ANN", "type": "ISO14443"},
        "idTokenInfo": {
            "status": "Accepted",
            "groupIdToken": {"idToken": "OFFICE", "type": "Central"},
            "cacheExpiryDateTime": "2030-03-17T17:46:40.000Z",
        },
    }
    assert keeper.tokens["1234"]["idToken"]["type"] == "KeyCode"
    held = {name: point.variables[name] for name in LOCKED}
    assert held == LOCKED | {
        ("AuthCtrlr", "LocalAuthorizeOffline"): "true",
        ("AuthCtrlr", "LocalPreAuthorize"): "true",
        ("AuthCtrlr", "OfflineTxForUnknownIdEnabled"): "false",
        ("AuthCtrlr", "AuthorizeRemoteStart"): "false",
        ("TxCtrlr", "StopTxOnInvalidId"): "true",
        ("AuthCacheCtrlr", "Enabled"): "false",
        ("LocalAuthListCtrlr", "Enabled"): "true",
    }


@virtually_2
async def test_differences_follow(stage: Stage2) -> None:
    keeper = Keeper2()
    await begun(stage, policy(5000, ListedToken(id_tag="ANN")), **keeper.answers())
    stage.conversation.keep_tokens(policy(6000, ListedToken(id_tag="BOB", accepted=False)))
    await asyncio.sleep(5)
    assert keeper.kinds == ["Full", "Differential"]
    assert set(keeper.tokens) == {"BOB"}
    assert keeper.tokens["BOB"]["idTokenInfo"] == {"status": "Blocked"}


@virtually_2
async def test_where_nobody_needs_a_card_none_is_asked_for(stage: Stage2) -> None:
    point = await begun(stage, policy(5000, rule=FREE), **Keeper2().answers())
    assert point.variables["AuthCtrlr", "Enabled"] == "false"
    assert point.variables["AuthCtrlr", "OfflineTxForUnknownIdEnabled"] == "true"


@virtually_2
async def test_who_keeps_no_list_remembers_and_forgets(stage: Stage2) -> None:
    answers = {"GetLocalListVersion": lambda _: "NotSupported", "ClearCache": lambda _: {"status": "Accepted"}}
    point = await begun(stage, policy(5000, ListedToken(id_tag="ANN")), **answers)
    assert point.calls("SendLocalList") == []
    assert point.variables["AuthCacheCtrlr", "Enabled"] == "true"
    assert point.variables["AuthCtrlr", "LocalPreAuthorize"] == "false"
    assert point.calls("ClearCache") == []
    stage.conversation.keep_tokens(policy(6000))
    await asyncio.sleep(5)
    assert point.calls("ClearCache") == [{}]
