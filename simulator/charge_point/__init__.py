"""Simulated charge points that speak OCPP 1.6J, 2.0.1 or 2.1."""

from .conversation import Registration
from .misbehaviour import Misbehaviour
from .spec import ChargePointSpec, ConnectorSpec, OcppVersion
from .station import ChargePoint

__all__ = ["ChargePoint", "ChargePointSpec", "ConnectorSpec", "Misbehaviour", "OcppVersion", "Registration"]
