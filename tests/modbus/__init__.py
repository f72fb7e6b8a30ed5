"""Tests of the Modbus link, the values and the profiles."""
