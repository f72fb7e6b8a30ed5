"""Fields that several actions have, checked and turned into what is meant."""

from datetime import datetime, time

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.util import dt as dt_util

from ..ocpp.tokens import LONGEST_TOKEN
from ..site.settings import MAXIMUM_PRIORITY

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


id_tag = vol.All(cv.string, vol.Strip, vol.Match(rf"^[\x20-\x7e]{{1,{LONGEST_TOKEN}}}\Z"))
"""A token as OCPP 2.1 knows it; a charge point that speaks 1.6 knows 20 characters, its idTag."""


def _of_day(moment: time) -> float:
    """Return seconds after midnight."""
    return float(3600 * moment.hour + 60 * moment.minute + moment.second)


time_of_day = vol.All(cv.time, _of_day)
"""What a local clock shows, turned into seconds after midnight."""

group = vol.All(cv.string, vol.Strip, vol.Match(r"^[\x20-\x7e]{1,20}\Z"))
"""What the drivers of a group have in common, as every version of OCPP knows it."""

posix = vol.All(cv.datetime, _posix)
"""A time, turned into UTC POSIX seconds."""


def _whole(number: float) -> int:
    """Return a whole number, however it is written."""
    if not number.is_integer():
        raise vol.Invalid("This is no whole number")
    return int(number)


at_once = vol.All(vol.Coerce(float), vol.Range(min=1, max=100), _whole)
"""How many transactions may run with one token."""

priority = vol.All(vol.Coerce(float), vol.Range(min=0, max=MAXIMUM_PRIORITY), _whole)
"""Who goes first: the higher one."""

text = vol.All(cv.string, _storable, vol.Strip, vol.Length(min=1, max=MOST_CHARACTERS))
"""A name."""
