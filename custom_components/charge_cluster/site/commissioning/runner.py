"""Commissioning of one site: who is tested, one at a time, and what is found is kept.

A run moves a connector only through a temporary cap beside the user's own, so that the guard stays in charge and no
test can exceed a ceiling. Whatever happens, the cap is taken back and the door is opened at the end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from .findings import CommissioningTest, Finding, Progress

type ShowProgress = Callable[[Progress], None]
"""Is told every new step, never more than once a second with the same one."""

type Confirm = Callable[[str], Awaitable[None]]
"""Shows a request to a person ("pull_network", "restore_network", "cut_power", "restore_power") and returns when that
person says that it is done. The run goes on as soon as it is said *or seen* (then the call is cancelled)."""


class AlreadyRunning(Exception):
    """Something at this site is being tested; `subject` is it."""

    def __init__(self, subject: str) -> None:
        super().__init__(subject)
        self.subject = subject


class UnknownSubject(Exception):
    """The site has no such connector or meter."""


class Commissioning:
    """`site.commissioning`: the guided tests of one site."""

    progress: Progress | None
    """Where the run under way is; None: nothing runs. Told by `site.subscribe("commissioning:<subject>", …)`."""

    def tests_for(self, subject: str) -> tuple[CommissioningTest, ...]:
        """Return the tests that a connector key or meter id can be put to, in their order. Raises UnknownSubject."""

    async def run(
        self,
        subject: str,
        tests: Sequence[CommissioningTest] = (),
        *,
        progress: ShowProgress | None = None,
        confirm: Confirm | None = None,
        simulate: bool = False,
    ) -> tuple[Finding, ...]:
        """Put a connector (key) or meter (id) to tests, keep and return what was found, one finding for each test.

        Args:
            subject: connector key ("<charge_point_id>/<number>") or meter id.
            tests: those wanted; empty: all that need nobody's hands, and those that do only where `confirm` or
                `simulate` is given.
            progress: is told each new step.
            confirm: asks a person. None: a test that needs one waits until it is seen, for at most five minutes.
            simulate: the network is not pulled by a person: the connection is closed and refused from here. A power
                cycle cannot be simulated.

        Cancelling the task (or `cancel`) ends it: everything is put back and what was not finished is INCONCLUSIVE
        with why "cancelled" (kept and returned by `run` after `cancel`; a cancelled task keeps them and raises).

        Raises:
            AlreadyRunning: one at a time.
            UnknownSubject: it is not there.
            ValueError: a test is not one for this kind of subject.
        """

    def answer(self) -> None:
        """Take note that the person has done what `progress.request` asks for; another way than `confirm`."""

    def cancel(self) -> bool:
        """End the run under way after it has put everything back; return whether there was one."""

    def findings(self, subject: str) -> tuple[Finding, ...]:
        """Return the newest finding of each test of a subject, in the order of the tests (also `site.findings`)."""

    async def history(self, subject: str) -> tuple[Finding, ...]:
        """Return all kept findings of a subject, newest first (at most 20 of each test). Raises StoreUnavailable."""
