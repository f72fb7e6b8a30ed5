"""Every operation of every version goes to somebody else's charge point, or is refused for a reason that is told."""

from typing import Any

import pytest

from custom_components.charge_cluster.ocpp.forbidden import NEVER, Forbidden
from custom_components.charge_cluster.ocpp.listener import CentralSystem
from custom_components.charge_cluster.ocpp.versions import OcppVersion

from .library import dialled_in, request, response
from .tables import FROM_CHARGE_POINT, schemas

OPERATIONS = {version: sorted(set(schemas(version)) - FROM_CHARGE_POINT) for version in OcppVersion}


@pytest.mark.parametrize("version", OcppVersion)
async def test_every_operation_is_sent_as_it_was_written_and_answered_or_refused_for_a_reason(
    central: CentralSystem, version: OcppVersion
) -> None:
    answered: dict[str, Any] = {}
    refused: dict[str, Any] = {}

    async with dialled_in(central.port, version) as (_, noting):
        operations = central.conversation("CP1").operations
        assert operations.version is version
        for operation in OPERATIONS[version]:
            payload = request(version, operation)
            try:
                called = await operations.call(operation, payload)
            except Forbidden as forbidden:
                refused[operation] = forbidden.instead
                assert operation in NEVER
                assert operation not in {name for name, _ in noting.asked if name != "SetChargingProfile"}
            else:
                assert called.answer == response(version, operation), operation
                assert operation in {name for name, _ in noting.asked}
                answered[operation] = called

    assert answered.keys() | refused.keys() == set(OPERATIONS[version])
    assert refused == {operation: NEVER[operation] for operation in OPERATIONS[version] if operation in NEVER}
