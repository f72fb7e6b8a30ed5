"""Simulated OCPP 1.6J charge points."""

from .spec import ChargePointSpec, ConnectorSpec, Misbehaviour
from .station import ChargePoint, Registration

__all__ = ["ChargePoint", "ChargePointSpec", "ConnectorSpec", "Misbehaviour", "Registration"]
