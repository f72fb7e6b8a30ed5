"""Actions: what automations and administrators can ask for, beyond what entities show and take.

Each module holds the actions of one kind with their schemas; `services.py` offers them to Home Assistant. What one
is about is found in `target.py`; every error that leaves here is one that Home Assistant shows in words.
"""
