"""OCPP 1.6J, as a charge point speaks it."""
