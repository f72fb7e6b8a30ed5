"""A fuzzer: frames of every version, valid ones spoilt in every way, thrown at the real listener beside good chargers.

`python -m tests.ocpp.fuzz` runs it by itself; `tests/ocpp/test_fuzz.py` runs a bounded part of it with every test run.
"""
