"""The list of tokens in OCPP 2.x, and the variables that say what a charge point decides without us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..frames import JsonObject
from ..local_list import (
    USUAL_PER_MESSAGE,
    Change,
    ListAnswer,
    ListedToken,
    LocalList,
    TokenPolicy,
    forget_removed,
    send_list,
)
from ..rpc import Ask, CallRefused
from ..times import stamp
from ..tokens import TokenType
from ..versions import OcppVersion
from .device_model import DeviceModel, change_known, read
from .requests import TOKEN_LENGTH, Place

AUTHORISES = Place("AuthCtrlr", "Enabled")
OFFLINE = Place("AuthCtrlr", "LocalAuthorizeOffline")
BEFORE_ASKING = Place("AuthCtrlr", "LocalPreAuthorize")
UNKNOWN_OFFLINE = Place("AuthCtrlr", "OfflineTxForUnknownIdEnabled")
AUTHORISE_REMOTE = Place("AuthCtrlr", "AuthorizeRemoteStart")
STOP_ON_INVALID = Place("TxCtrlr", "StopTxOnInvalidId")
CACHE_ENABLED = Place("AuthCacheCtrlr", "Enabled")
LIST_ENABLED = Place("LocalAuthListCtrlr", "Enabled")
PER_MESSAGE = Place("LocalAuthListCtrlr", "ItemsPerMessage")

OF_TOKENS = (
    AUTHORISES,
    OFFLINE,
    BEFORE_ASKING,
    UNKNOWN_OFFLINE,
    AUTHORISE_REMOTE,
    STOP_ON_INVALID,
    CACHE_ENABLED,
    LIST_ENABLED,
    PER_MESSAGE,
)

LONGEST_IN_21 = 255
GROUP_LENGTH = 36
USUAL_TYPE = TokenType.ISO14443
"""Of a token of which nobody said what it is: most are cards of this kind."""


def send_local_list(version: int, changes: Sequence[Change], *, full: bool) -> JsonObject:
    """Ask to keep a list, or to change it."""
    payload: JsonObject = {"versionNumber": version, "updateType": "Full" if full else "Differential"}
    if changes:
        payload["localAuthorizationList"] = [_entry(each) for each in changes]
    return payload


def _entry(each: Change) -> JsonObject:
    entry: JsonObject = {"idToken": {"idToken": each.id_tag, "type": (each.kind or USUAL_TYPE).value}}
    token = each.token
    if token is None:
        return entry
    info: JsonObject = {"status": "Accepted" if token.accepted else "Blocked"}
    if token.group is not None:
        info["groupIdToken"] = {"idToken": token.group[:GROUP_LENGTH], "type": TokenType.CENTRAL.value}
    if token.expires_at is not None:
        info["cacheExpiryDateTime"] = stamp(token.expires_at)
    return {**entry, "idTokenInfo": info}


class ListWire2:
    """Asks one charge point about its list. See `local_list.ListWire`."""

    def __init__(self, ask: Ask, model: DeviceModel, version: OcppVersion) -> None:
        """Take the sizes from its device model."""
        self._ask = ask
        self._model = model
        self._longest = LONGEST_IN_21 if version is OcppVersion.V21 else TOKEN_LENGTH

    @property
    def per_message(self) -> int:
        """Return how many tokens a message may have."""
        told = self._model.number(PER_MESSAGE)
        return told if told is not None and told > 0 else USUAL_PER_MESSAGE

    @property
    def most(self) -> int | None:
        """Return how many tokens it keeps, which only a characteristic of a variable tells: it refuses what is more."""
        return None

    def fits(self, token: ListedToken) -> bool:
        """Return whether a token is short enough."""
        return len(token.id_tag) <= self._longest

    async def version(self) -> int | None:
        """Return the number of its list; None: it keeps none."""
        try:
            answer = await self._ask("GetLocalListVersion", {})
        except CallRefused:
            return None
        number = answer.get("versionNumber")
        if isinstance(number, bool) or not isinstance(number, (int, float)) or number < 0:
            return None
        return int(number)

    async def send(self, version: int, changes: Sequence[Change], *, full: bool) -> ListAnswer:
        """Send a list, or the differences to the one that it has."""
        return await send_list(self._ask, send_local_list(version, changes, full=full))


def wanted_variables(policy: TokenPolicy, *, keeps_list: bool) -> Mapping[Place, bool]:
    """Return what the variables are to be, for a charge point that keeps a list or does not."""
    rule = policy.rule
    return {
        AUTHORISES: not rule.free,
        OFFLINE: rule.lists or rule.everybody,
        BEFORE_ASKING: rule.at_once and keeps_list,
        UNKNOWN_OFFLINE: rule.everybody,
        AUTHORISE_REMOTE: False,
        STOP_ON_INVALID: True,
        CACHE_ENABLED: rule.remembers and not keeps_list,
    }


async def hold_tokens(ask: Ask, model: DeviceModel, kept: LocalList, policy: TokenPolicy, version: OcppVersion) -> bool:
    """Bring list and variables to what is wanted; return whether the list is. Raises CallFailed.

    Variables that the charge point does not have, or does not let anybody change, are left alone.
    """
    await read(ask, model, OF_TOKENS)
    # A list that is not enabled may be refused.
    await _set(ask, model, {LIST_ENABLED: True})
    done = await kept.bring_up(ListWire2(ask, model, version), policy)
    await _set(ask, model, wanted_variables(policy, keeps_list=kept.supported))
    if not kept.supported and policy.rule.remembers:
        await forget_removed(ask, kept, policy)
    return done


async def _set(ask: Ask, model: DeviceModel, wanted: Mapping[Place, bool]) -> None:
    changed = [
        place
        for place, value in wanted.items()
        if model.truth(place) is not value and await change_known(ask, model, place, "true" if value else "false")
    ]
    if changed:
        await read(ask, model, changed)
