"""What commissioning found is kept as a history, bounded for each test."""

from dataclasses import replace
from typing import Any

from custom_components.charge_cluster.ledger import Ledger
from custom_components.charge_cluster.ledger.findings import KEPT_OF_EACH, FindingRecord

from .records import NOON


def a_finding(at: float = NOON, **changes: Any) -> FindingRecord:
    record = FindingRecord(
        site_id="site",
        subject="cp1/1",
        test="limit_response",
        verdict="passed",
        at=at,
        firmware="1.0",
        figures={"settling_s": 9.5, "source": "meter", "response_s": None},
    )
    return replace(record, **changes)


async def test_findings_are_read_as_they_were_written_newest_first(ledger: Ledger) -> None:
    first, second, other = a_finding(), a_finding(NOON + 1.0), a_finding(NOON + 2.0, subject="meter", firmware=None)
    for record in (first, second, other, a_finding(site_id="elsewhere")):
        ledger.findings.record(record)
    assert await ledger.findings.load("site") == [other, second, first]
    assert await ledger.findings.load("site", "cp1/1") == [second, first]


async def test_the_oldest_of_each_test_go_first(ledger: Ledger) -> None:
    other = a_finding(test="minimum")
    ledger.findings.record(other)
    for number in range(KEPT_OF_EACH + 5):
        ledger.findings.record(a_finding(NOON + number))
    found = await ledger.findings.load("site", "cp1/1")
    assert [record.at for record in found if record.test == "limit_response"] == [
        NOON + number for number in reversed(range(5, KEPT_OF_EACH + 5))
    ]
    assert other in found


async def test_outdated_findings_are_marked_and_stay(ledger: Ledger) -> None:
    ledger.findings.record(a_finding())
    ledger.findings.record(a_finding(test="minimum"))
    ledger.findings.outdate("site", "cp1/1", ["limit_response"])
    outdated = {record.test: record.outdated for record in await ledger.findings.load("site")}
    assert outdated == {"limit_response": True, "minimum": False}
