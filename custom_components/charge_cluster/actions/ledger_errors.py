"""Errors of the records, as Home Assistant shows them."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from homeassistant.exceptions import HomeAssistantError

from ..const import DOMAIN
from ..ledger.writer import StoreUnavailable


def told[**P, ResultT](
    action: Callable[P, Coroutine[Any, Any, ResultT]],
) -> Callable[P, Coroutine[Any, Any, ResultT]]:
    """Turn a ledger that cannot be read or written into an error in the user's language."""

    @wraps(action)
    async def act(*args: P.args, **kwargs: P.kwargs) -> ResultT:
        try:
            return await action(*args, **kwargs)
        except StoreUnavailable as error:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="ledger_unavailable") from error

    return act
