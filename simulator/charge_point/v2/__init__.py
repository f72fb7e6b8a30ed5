"""OCPP 2.0.1 and 2.1, as a charge point speaks them."""
