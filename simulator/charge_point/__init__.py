"""Simulated OCPP 1.6J charge points."""

from .conversation import Registration
from .spec import ChargePointSpec, ConnectorSpec, Misbehaviour
from .station import ChargePoint

__all__ = ["ChargePoint", "ChargePointSpec", "ConnectorSpec", "Misbehaviour", "Registration"]
