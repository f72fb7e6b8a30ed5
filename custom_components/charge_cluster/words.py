"""Words of the translations that Home Assistant does not show by itself: for sentences and reports made here."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN

COMMON = "common"
"""The category of sentences that are made here."""


async def words_of(hass: HomeAssistant, category: str = COMMON, *, language: str | None = None) -> dict[str, str]:
    """Return the words of a category by their keys ("verdict_passed", "meter_stale.title").

    The language is that of this Home Assistant unless another is named; what it lacks is English.
    """
    words = await async_get_translations(hass, language or hass.config.language, category, [DOMAIN])
    prefix = f"component.{DOMAIN}.{category}."
    return {key.removeprefix(prefix): text for key, text in words.items()}
