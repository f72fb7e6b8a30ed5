"""Modbus: a guarded link, device profiles as data, and a read-only scan; no Home Assistant, no engine."""
