"""What a report does with letters that its fonts do not have: it shows that they are missing."""

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.report.characters import ENCODING, MISSING, Characters, can_show
from custom_components.charge_cluster.report.commissioning_report import commissioning_report

from .stage import ENGLISH, text_of, the_facts


@pytest.mark.parametrize("text", ["Parkplatz Süd", "Façade – “Öl” 5 €", "Niño", "×"])
def test_western_letters_are_shown_as_they_are(text: str) -> None:
    characters = Characters()

    assert characters.printable(text) == text
    assert can_show(text)
    assert (characters.simplified, characters.missing) == (False, False)


@pytest.mark.parametrize(
    ("text", "shown"), [("Łódź", "Lódz"), ("Černý", "Cerný"), ("Győr", "Gyor"), ("İzmir", "Izmir"), ("Z\u030c", "Ž")]
)
def test_other_accents_are_left_out(text: str, shown: str) -> None:
    characters = Characters()

    assert characters.printable(text) == shown
    assert characters.simplified == (shown != "Ž")
    assert not characters.missing


@pytest.mark.parametrize("text", ["停車場", "Стоянка", "گاراژ", "🚗", "a\x00b", "\udcff"])
def test_what_has_no_letter_becomes_a_mark(text: str) -> None:
    characters = Characters()

    assert MISSING in characters.printable(text)
    assert characters.missing


def test_signs_that_look_alike_cost_nothing() -> None:
    characters = Characters()

    assert characters.printable("−1 ≤ 2 → 3") == "-1 <= 2 -> 3"
    assert (characters.simplified, characters.missing) == (False, False)
    assert can_show("−1")
    assert not can_show("Łódź")


@given(st.text(st.characters()))
def test_everything_becomes_printable(text: str) -> None:
    shown = Characters().printable(text)

    shown.encode(ENCODING)
    assert all(letter.isprintable() or letter == "\xa0" for letter in shown)


def test_the_report_says_what_it_could_not_show() -> None:
    plain = text_of(commissioning_report(the_facts(name="Süd"), ENGLISH))
    simplified = text_of(commissioning_report(the_facts(name="Černý"), ENGLISH))
    missing = text_of(commissioning_report(the_facts(name="停車場"), ENGLISH))

    assert "Commissioning report Süd" in plain
    assert "fonts of this report" not in plain
    assert "Cerný" in simplified
    assert ENGLISH["report_simplified"] in simplified
    assert ENGLISH["report_missing"] not in simplified
    assert "¤¤¤" in missing
    assert ENGLISH["report_missing"] in missing


def test_every_english_word_of_the_report_can_be_shown() -> None:
    assert [text for key, text in ENGLISH.items() if key.startswith("report_") and not can_show(text)] == []
