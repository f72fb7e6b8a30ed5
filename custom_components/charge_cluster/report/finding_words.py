"""What commissioning found, in the words of one language: names of tests and verdicts, sentences about findings."""

from collections.abc import Mapping

from ..site.commissioning.facts import rotation_text
from ..site.commissioning.findings import CommissioningTest, Finding, Verdict

NOT_KNOWN = "–"
PHASES = frozenset({"rotation", "configured", "own"})
"""Figures that name phases."""

WORDED = frozenset({"behaviour", "delayed", "scope", "reason", "configured"})
"""Figures that are words with a translation."""


class _Figures(dict[str, str]):
    """Figures of a sentence; what was not measured is a dash."""

    def __missing__(self, _name: str) -> str:
        return NOT_KNOWN


class FindingWords:
    """The words of one language for findings."""

    def __init__(self, words: Mapping[str, str]) -> None:
        """Take the words by their keys in the translations ("test_minimum", "why_noisy" …)."""
        self._words = words

    def test(self, test: CommissioningTest) -> str:
        """Return the name of a test."""
        return self._word(f"test_{test}") or test.value

    def verdict(self, verdict: Verdict) -> str:
        """Return the name of a verdict."""
        return self._word(f"verdict_{verdict}") or verdict.value

    def sentence(self, finding: Finding) -> str:
        """Return what a finding says."""
        figures = _Figures({name: self._figure(name, figure) for name, figure in finding.figures.items()})
        if finding.verdict is Verdict.INCONCLUSIVE:
            why = finding.figures.get("why")
            figures["because"] = (self._word(f"why_{why}") or str(why)).format_map(figures)
            said = self._word("finding_inconclusive") or "{because}"
        else:
            said = self._word(f"finding_{finding.test}_{finding.verdict}") or finding.verdict.value
        sentence = said.format_map(figures)
        return f"{sentence} {self._word('finding_outdated') or ''}".strip() if finding.outdated else sentence

    def _figure(self, name: str, figure: float | str | None) -> str:
        if figure is None:
            return NOT_KNOWN
        if isinstance(figure, str):
            if name in PHASES and figure.startswith("l"):
                return rotation_text(figure)
            return (self._word(f"figure_{figure}") if name in WORDED else None) or figure
        return f"{round(figure, 2):g}"

    def _word(self, key: str) -> str | None:
        return self._words.get(key)
