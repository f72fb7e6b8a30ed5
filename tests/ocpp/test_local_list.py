"""The list of tokens that a charge point keeps, and what it decides without us."""

import asyncio
from typing import Any

from hypothesis import given, settings, strategies as st

from custom_components.charge_cluster.ocpp.local_list import (
    Change,
    ListAnswer,
    ListedToken,
    LocalList,
    OfflineRule,
    TokenPolicy,
    differences,
)
from custom_components.charge_cluster.ocpp.rpc import CallTimedOut

from .stage import Stage, virtually

KNOWN = OfflineRule(lists=True, everybody=False, at_once=True, remembers=True)
EVERYBODY = OfflineRule(lists=True, everybody=True, at_once=False, remembers=False)


def policy(version: int, *tags: str, rule: OfflineRule = KNOWN, **more: Any) -> TokenPolicy:
    return TokenPolicy(rule=rule, version=version, tokens=tuple(ListedToken(id_tag=tag, **more) for tag in tags))


class Keeper:
    """A charge point's memory for a list and its keys."""

    def __init__(self, *, most: int = 100, per_message: int = 50) -> None:
        self.version = 0
        self.tokens: dict[str, Any] = {}
        self.keys = {
            "LocalAuthListEnabled": "false",
            "LocalAuthorizeOffline": "False",
            "LocalPreAuthorize": "false",
            "AllowOfflineTxForUnknownId": "true",
            "StopTransactionOnInvalidId": "false",
            "AuthorizeRemoteTxRequests": "true",
            "AuthorizationCacheEnabled": "true",
        }
        self.sizes = {"LocalAuthListMaxLength": str(most), "SendLocalListMaxLength": str(per_message)}
        self.refuses: list[str] = []
        """What is answered to the next lists instead of taking them."""
        self.sent: list[Any] = []

    def answers(self) -> dict[str, Any]:
        return {
            "GetConfiguration": lambda _: self.configuration(),
            "ChangeConfiguration": self.change,
            "GetLocalListVersion": lambda _: {"listVersion": self.version},
            "SendLocalList": self.take,
        }

    def configuration(self) -> Any:
        changeable = [{"key": key, "value": value, "readonly": False} for key, value in self.keys.items()]
        fixed = [{"key": key, "value": value, "readonly": True} for key, value in self.sizes.items()]
        return {"configurationKey": changeable + fixed}

    def change(self, payload: Any) -> Any:
        if payload["key"] in self.keys:
            self.keys[payload["key"]] = payload["value"]
        return {"status": "Accepted"}

    def take(self, payload: Any) -> Any:
        self.sent.append(payload)
        if self.refuses:
            return {"status": self.refuses.pop(0)}
        entries = payload.get("localAuthorizationList", [])
        assert len(entries) <= int(self.sizes["SendLocalListMaxLength"])
        if payload["updateType"] == "Full":
            self.tokens = {}
        elif payload["listVersion"] <= self.version:
            return {"status": "VersionMismatch"}
        for entry in entries:
            if "idTagInfo" in entry:
                self.tokens[entry["idTag"]] = entry["idTagInfo"]
            else:
                del self.tokens[entry["idTag"]]
        if len(self.tokens) > int(self.sizes["LocalAuthListMaxLength"]):
            return {"status": "Failed"}
        self.version = payload["listVersion"]
        return {"status": "Accepted"}

    def kinds(self) -> list[str]:
        return [payload["updateType"] for payload in self.sent]


@virtually
async def test_a_charge_point_gets_the_list_and_the_keys_that_its_rule_means(stage: Stage) -> None:
    keeper = Keeper()
    stage.conversation.keep_tokens(policy(5000, "ANN", group="OFFICE", expires_at=1_900_000_000.0))
    await stage.booted(**keeper.answers())
    await asyncio.sleep(3)
    assert keeper.version == 5000
    assert keeper.tokens == {
        "ANN": {"status": "Accepted", "parentIdTag": "OFFICE", "expiryDate": "2030-03-17T17:46:40.000Z"}
    }
    assert keeper.keys == {
        "LocalAuthListEnabled": "true",
        "LocalAuthorizeOffline": "true",
        "LocalPreAuthorize": "true",
        "AllowOfflineTxForUnknownId": "false",
        "StopTransactionOnInvalidId": "true",
        "AuthorizeRemoteTxRequests": "false",
        "AuthorizationCacheEnabled": "false",
    }


@virtually
async def test_only_differences_follow_and_nothing_where_nothing_differs(stage: Stage) -> None:
    keeper = Keeper()
    stage.conversation.keep_tokens(policy(5000, "ANN", "BOB"))
    point = await stage.booted(**keeper.answers())
    await asyncio.sleep(3)
    stage.conversation.keep_tokens(policy(6000, "BOB", "EVE"))
    await asyncio.sleep(3)
    assert keeper.kinds() == ["Full", "Differential"]
    assert keeper.sent[1]["localAuthorizationList"] == [
        {"idTag": "ANN"},
        {"idTag": "EVE", "idTagInfo": {"status": "Accepted"}},
    ]
    assert (keeper.version, set(keeper.tokens)) == (6000, {"BOB", "EVE"})
    await stage.hang_up(point)
    await stage.booted(**keeper.answers())
    await asyncio.sleep(3)
    assert len(keeper.sent) == 2


@virtually
async def test_after_a_restart_of_ours_a_list_with_the_right_number_is_left_alone(stage: Stage) -> None:
    keeper = Keeper()
    keeper.version = 5000
    stage.conversation.keep_tokens(policy(5000, "ANN"))
    await stage.booted(**keeper.answers())
    await asyncio.sleep(3)
    assert keeper.sent == []


@virtually
async def test_a_long_list_comes_in_parts_of_which_the_last_has_its_number(stage: Stage) -> None:
    keeper = Keeper(per_message=2)
    stage.conversation.keep_tokens(policy(5000, "A", "B", "C", "D", "E"))
    await stage.booted(**keeper.answers())
    await asyncio.sleep(3)
    assert keeper.kinds() == ["Full", "Differential", "Differential"]
    assert [payload["listVersion"] for payload in keeper.sent] == [4998, 4999, 5000]
    assert set(keeper.tokens) == set("ABCDE")


@virtually
async def test_a_list_is_no_longer_than_the_charge_point_can_keep(stage: Stage) -> None:
    keeper = Keeper(most=3)
    stage.conversation.keep_tokens(policy(5000, "A", "B", "C", "D", "TOO-LONG-FOR-AN-ID-TAG"))
    await stage.booted(**keeper.answers())
    await asyncio.sleep(3)
    assert set(keeper.tokens) == set("ABC")


@virtually
async def test_differences_that_do_not_fit_what_is_there_are_followed_by_the_whole(stage: Stage) -> None:
    keeper = Keeper()
    stage.conversation.keep_tokens(policy(5000, "ANN"))
    await stage.booted(**keeper.answers())
    await asyncio.sleep(3)
    keeper.refuses = ["VersionMismatch"]
    stage.conversation.keep_tokens(policy(6000, "ANN", "BOB"))
    await asyncio.sleep(3)
    assert keeper.kinds() == ["Full", "Differential", "Full"]
    assert set(keeper.tokens) == {"ANN", "BOB"}


@virtually
async def test_a_list_that_fails_is_tried_again_but_not_at_once(stage: Stage) -> None:
    keeper = Keeper()
    keeper.refuses = ["Failed"]
    stage.conversation.keep_tokens(policy(5000, "ANN"))
    await stage.booted(**keeper.answers())
    await asyncio.sleep(600)
    assert len(keeper.sent) == 1
    await asyncio.sleep(600)
    assert set(keeper.tokens) == {"ANN"}


@virtually
async def test_who_keeps_no_list_is_left_alone_and_remembers_instead(stage: Stage) -> None:
    keeper = Keeper()
    keeper.version = -1
    keeper.keys["LocalPreAuthorize"] = "true"
    stage.conversation.keep_tokens(policy(5000, "ANN"))
    point = await stage.booted(**keeper.answers(), ClearCache=lambda _: {"status": "Accepted"})
    await asyncio.sleep(3)
    assert (keeper.sent, point.calls("ClearCache")) == ([], [])
    assert keeper.keys["AuthorizationCacheEnabled"] == "true"
    assert keeper.keys["LocalPreAuthorize"] == "false"
    stage.conversation.keep_tokens(policy(6000))
    await asyncio.sleep(3)
    assert point.calls("ClearCache") == [{}]


@virtually
async def test_a_charge_point_that_knows_no_list_at_all_is_asked_once_a_boot(stage: Stage) -> None:
    stage.conversation.keep_tokens(policy(5000, "ANN"))
    point = await stage.booted()
    await asyncio.sleep(2000)
    stage.conversation.keep_tokens(policy(6000, "BOB"))
    await asyncio.sleep(3)
    assert len(point.calls("GetLocalListVersion")) == 1
    assert point.calls("SendLocalList") == []


@virtually
async def test_where_everybody_may_charge_who_is_blocked_is_on_the_list(stage: Stage) -> None:
    keeper = Keeper()
    stage.conversation.keep_tokens(policy(5000, "MALLORY", rule=EVERYBODY, accepted=False))
    await stage.booted(**keeper.answers())
    await asyncio.sleep(3)
    assert keeper.tokens == {"MALLORY": {"status": "Blocked"}}
    assert keeper.keys["AllowOfflineTxForUnknownId"] == "true"


@virtually
async def test_without_a_policy_nothing_is_touched(stage: Stage) -> None:
    keeper = Keeper()
    before = dict(keeper.keys)
    point = await stage.booted(**keeper.answers())
    await asyncio.sleep(60)
    assert keeper.keys == before
    assert point.calls("GetLocalListVersion") == []


class Wire:
    """A wire on which messages get lost."""

    def __init__(self, per_message: int, lost: set[int]) -> None:
        self.per_message = per_message
        self.most = None
        self.number = 0
        self.tokens: dict[str, ListedToken] = {}
        self._lost = lost
        self._sent = 0

    def fits(self, token: ListedToken) -> bool:
        return True

    async def version(self) -> int | None:
        return self.number

    async def send(self, version: int, changes: Any, *, full: bool) -> ListAnswer:
        self._sent += 1
        if self._sent in self._lost:
            raise CallTimedOut("lost")
        if not full and version <= self.number:
            return ListAnswer.VERSION_MISMATCH
        if full:
            self.tokens = {}
        for change in changes:
            if change.token is None:
                self.tokens.pop(change.id_tag)
            else:
                self.tokens[change.id_tag] = change.token
        self.number = version
        return ListAnswer.ACCEPTED


TAGS = st.lists(st.sampled_from("ABCDEFGH"), unique=True, max_size=8)


@settings(max_examples=60)
@given(steps=st.lists(TAGS, min_size=1, max_size=5), per_message=st.integers(1, 3), lost=st.sets(st.integers(1, 20)))
def test_whatever_gets_lost_the_number_never_lies(steps: list[list[str]], per_message: int, lost: set[int]) -> None:
    async def play() -> None:
        wire, kept = Wire(per_message, lost), LocalList()
        for step, tags in enumerate(steps, start=1):
            wanted = policy(step * 1000, *tags)
            for _ in range(25):
                try:
                    if await kept.bring_up(wire, wanted):
                        break
                except CallTimedOut:
                    assert wire.number != wanted.version
            assert wire.number == wanted.version
            assert set(wire.tokens) == set(tags)

    asyncio.run(play())


def test_room_is_made_before_it_is_needed() -> None:
    old = {"A": ListedToken(id_tag="A")}
    new = {"B": ListedToken(id_tag="B")}
    assert differences(old, new) == [
        Change(id_tag="A", kind=None, token=None),
        Change(id_tag="B", kind=None, token=new["B"]),
    ]
