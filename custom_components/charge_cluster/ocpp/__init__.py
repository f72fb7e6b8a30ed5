"""The central system: listener, RPC and vocabularies of OCPP, knowing nothing of Home Assistant or the engine."""
