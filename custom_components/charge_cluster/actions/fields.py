"""Fields that several actions have, checked and turned into what is meant."""

from datetime import datetime

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.util import dt as dt_util

MOST_CHARACTERS = 100


def _posix(moment: datetime) -> float:
    """Return UTC POSIX seconds; a time without a zone is local."""
    try:
        return dt_util.as_utc(moment).timestamp()
    except OverflowError as error:
        raise vol.Invalid("This time is beyond the calendar") from error


def _storable(word: str) -> str:
    """Refuse half a character, which no file can hold."""
    try:
        word.encode()
    except UnicodeEncodeError as error:
        raise vol.Invalid("This is no text") from error
    return word


id_tag = vol.All(cv.string, vol.Strip, vol.Match(r"^[\x20-\x7e]{1,20}\Z"))
"""An idTag as OCPP 1.6 knows it."""

posix = vol.All(cv.datetime, _posix)
"""A time, turned into UTC POSIX seconds."""

text = vol.All(cv.string, _storable, vol.Strip, vol.Length(min=1, max=MOST_CHARACTERS))
"""A name."""
