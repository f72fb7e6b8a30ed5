"""The records: transactions, sessions, demand, limits and drivers, in SQLite in the configuration folder.

Start and stop of a transaction are on the disk before they are answered; periodic values are committed in groups. A
full or broken disk never stops the control of current: who must know is told by `JournalUnavailable`, the rest is kept
for another try. Nothing here knows Home Assistant.
"""

from .store import Ledger, LedgerState

__all__ = ["Ledger", "LedgerState"]
