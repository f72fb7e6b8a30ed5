"""The list of tokens in OCPP 1.6, and the keys that say what a charge point decides without us."""

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
from .configuration import Configuration, change, read
from .requests import ID_TAG_LENGTH

LIST_ENABLED = "LocalAuthListEnabled"
OFFLINE = "LocalAuthorizeOffline"
BEFORE_ASKING = "LocalPreAuthorize"
UNKNOWN_OFFLINE = "AllowOfflineTxForUnknownId"
STOP_ON_INVALID = "StopTransactionOnInvalidId"
AUTHORISE_REMOTE = "AuthorizeRemoteTxRequests"
CACHE_ENABLED = "AuthorizationCacheEnabled"
PER_MESSAGE = "SendLocalListMaxLength"
MOST = "LocalAuthListMaxLength"

KEYS = (
    LIST_ENABLED,
    OFFLINE,
    BEFORE_ASKING,
    UNKNOWN_OFFLINE,
    STOP_ON_INVALID,
    AUTHORISE_REMOTE,
    CACHE_ENABLED,
    PER_MESSAGE,
    MOST,
)

NO_LIST = -1
"""The number of a list that is not kept."""


def send_local_list(version: int, changes: Sequence[Change], *, full: bool) -> JsonObject:
    """Ask to keep a list, or to change it."""
    payload: JsonObject = {"listVersion": version, "updateType": "Full" if full else "Differential"}
    if changes:
        payload["localAuthorizationList"] = [_entry(each) for each in changes]
    return payload


def _entry(each: Change) -> JsonObject:
    token = each.token
    if token is None:
        return {"idTag": each.id_tag}
    info: JsonObject = {"status": "Accepted" if token.accepted else "Blocked"}
    if token.group is not None:
        info["parentIdTag"] = token.group[:ID_TAG_LENGTH]
    if token.expires_at is not None:
        info["expiryDate"] = stamp(token.expires_at)
    return {"idTag": each.id_tag, "idTagInfo": info}


class ListWire16:
    """Asks one charge point about its list. See `local_list.ListWire`."""

    def __init__(self, ask: Ask, configuration: Configuration) -> None:
        """Take the sizes from its configuration."""
        self._ask = ask
        self._configuration = configuration

    @property
    def per_message(self) -> int:
        """Return how many tokens a message may have."""
        told = self._configuration.whole(PER_MESSAGE)
        return told if told is not None and told > 0 else USUAL_PER_MESSAGE

    @property
    def most(self) -> int | None:
        """Return how many tokens it keeps."""
        told = self._configuration.whole(MOST)
        return told if told is not None and told > 0 else None

    def fits(self, token: ListedToken) -> bool:
        """Return whether a token is short enough."""
        return len(token.id_tag) <= ID_TAG_LENGTH

    async def version(self) -> int | None:
        """Return the number of its list; None: it keeps none."""
        try:
            answer = await self._ask("GetLocalListVersion", {})
        except CallRefused:
            return None
        number = answer.get("listVersion")
        if isinstance(number, bool) or not isinstance(number, (int, float)) or number == NO_LIST:
            return None
        return int(number)

    async def send(self, version: int, changes: Sequence[Change], *, full: bool) -> ListAnswer:
        """Send a list, or the differences to the one that it has."""
        return await send_list(self._ask, send_local_list(version, changes, full=full))


def wanted_keys(policy: TokenPolicy, *, keeps_list: bool) -> Mapping[str, bool]:
    """Return what the keys are to be, for a charge point that keeps a list or does not."""
    rule = policy.rule
    remembers = rule.remembers and not keeps_list
    return {
        LIST_ENABLED: True,
        OFFLINE: rule.lists or rule.everybody,
        BEFORE_ASKING: rule.at_once and keeps_list,
        UNKNOWN_OFFLINE: rule.everybody,
        STOP_ON_INVALID: True,
        AUTHORISE_REMOTE: False,
        CACHE_ENABLED: remembers,
    }


async def hold_tokens(ask: Ask, configuration: Configuration, kept: LocalList, policy: TokenPolicy) -> bool:
    """Bring list and keys to what is wanted; return whether the list is. Raises CallFailed.

    Keys that the charge point does not have, or does not let anybody change, are left alone.
    """
    if not any(key in configuration.settings for key in KEYS):
        await read(ask, configuration, KEYS)
    # A list that is not enabled may be refused.
    await _set(ask, configuration, {LIST_ENABLED: True})
    done = await kept.bring_up(ListWire16(ask, configuration), policy)
    await _set(ask, configuration, wanted_keys(policy, keeps_list=kept.supported))
    if not kept.supported and policy.rule.remembers:
        await forget_removed(ask, kept, policy)
    return done


async def _set(ask: Ask, configuration: Configuration, wanted: Mapping[str, bool]) -> None:
    changed = []
    for key, value in wanted.items():
        known = configuration.settings.get(key)
        word = "true" if value else "false"
        if known is None or known.read_only or (known.value or "").strip().casefold() == word:
            continue
        if await change(ask, configuration, key, word):
            changed.append(key)
    if changed:
        await read(ask, configuration, changed)
