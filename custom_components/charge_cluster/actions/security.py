"""Actions about how charge points and this host prove to each other who they are."""

from datetime import UTC, datetime

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util.json import JsonObjectType

from ..authority_download import FILE_NAME, signed_authority_path
from ..const import DOMAIN
from ..ocpp.operations import Operations
from ..ocpp.security.enrolment import Given
from ..ocpp.security.own import CertificateFault
from ..site.installation import NoKey
from ..site.rotation import Rotated
from .operations import Spot, answers_of
from .target import DEVICES, site_of

CERTIFICATE_WITHIN_S = 180.0
"""A small processor takes a minute and more to make an RSA key."""

OF_CHARGE_POINTS = vol.Schema(DEVICES)
GET_AUTHORITY = vol.Schema({vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string})


async def rotate_key(call: ServiceCall) -> ServiceResponse:
    """Give charge points another key over their connections, and tell how far each has come."""

    async def ask(spot: Spot, _operations: Operations) -> JsonObjectType:
        runtime = spot.entry.runtime_data
        try:
            rotated = await runtime.installation.rotate_key(runtime.site.settings, spot.charge_point)
        except NoKey as failure:
            raise ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="no_key",
                translation_placeholders={"charge_point": spot.name},
            ) from failure
        if rotated is Rotated.REFUSED:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="key_refused")
        return {"result": rotated.value}

    return await answers_of(call, ask)


async def renew_certificate(call: ServiceCall) -> ServiceResponse:
    """Have charge points ask for a certificate of their own, sign it and bring it."""

    async def ask(spot: Spot, _operations: Operations) -> JsonObjectType:
        runtime = spot.entry.runtime_data
        given = await runtime.installation.renew_certificate(
            runtime.site.settings, spot.charge_point, CERTIFICATE_WITHIN_S
        )
        if given is not Given.ACCEPTED:
            key = "certificate_not_asked_for" if given is None else f"certificate_{given}"
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key=key)
        newest = runtime.installation.trust.given_to(spot.charge_point.identity)
        if newest is None:
            return {}
        return {"valid_until": datetime.fromtimestamp(newest.not_after, UTC).isoformat()}

    return await answers_of(call, ask)


async def get_authority(call: ServiceCall) -> ServiceResponse:
    """Return the certificate that charge points have to know to trust this host, made at the first need."""
    trust = site_of(call.hass, call).runtime_data.installation.trust
    try:
        authority = await trust.authority()
    except CertificateFault as fault:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key=fault.key) from fault
    return {
        "certificate": authority.certificate,
        "fingerprint": authority.fingerprint,
        "valid_until": datetime.fromtimestamp(authority.not_after, UTC).isoformat(),
        "url": signed_authority_path(call.hass),
        "filename": FILE_NAME,
    }
