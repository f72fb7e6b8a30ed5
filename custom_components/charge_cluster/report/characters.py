"""What the fonts of a report can show.

The fonts that every PDF reader has know the letters of Western European languages. Embedding one that knows all
writing would make a report of some pages as large as a book, and Home Assistant brings none. So letters with other
accents are written without them, what has no Latin letter becomes a mark, and the report says so where it happened.
"""

import unicodedata
from collections.abc import Mapping

ENCODING = "windows-1252"
"""Of the standard fonts of PDF (WinAnsiEncoding)."""

MISSING = "¤"
"""Stands for a character that the fonts do not have; nobody types it."""

ALIKE: Mapping[str, str] = {
    "−": "-",
    "\N{HYPHEN}": "-",
    "\N{NON-BREAKING HYPHEN}": "-",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "′": "'",
    "\N{NARROW NO-BREAK SPACE}": " ",
    "\N{THIN SPACE}": " ",
    "Đ": "D",
    "đ": "d",
    "Ħ": "H",
    "ħ": "h",
    "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    "Ł": "L",
    "ł": "l",
    "Ŋ": "N",
    "ŋ": "n",
    "Ŧ": "T",
    "ŧ": "t",
}
"""Signs and letters that cannot be taken apart into a letter and its accent."""


class Characters:
    """Makes text printable, and remembers what that cost."""

    def __init__(self) -> None:
        """Begin with nothing lost."""
        self.simplified = False
        """Whether a letter was written without its accent."""
        self.missing = False
        """Whether a character is not there at all."""

    def printable(self, text: str) -> str:
        """Return text that the fonts can show, in one line."""
        flat = " ".join(text.split())
        try:
            flat.encode(ENCODING)
        except UnicodeEncodeError:
            return "".join(self._nearest(letter) for letter in unicodedata.normalize("NFC", flat))
        return "".join(letter if letter.isprintable() else self._none() for letter in flat)

    def _nearest(self, letter: str) -> str:
        if _encodable(letter):
            return letter if letter.isprintable() else self._none()
        if letter in ALIKE:
            self.simplified = self.simplified or letter.isalpha()
            return ALIKE[letter]
        if unicodedata.combining(letter):
            self.simplified = True
            return ""
        bare = "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
        if bare and _encodable(bare) and bare.isprintable():
            self.simplified = True
            return bare
        return self._none()

    def _none(self) -> str:
        self.missing = True
        return MISSING


def _encodable(text: str) -> bool:
    try:
        text.encode(ENCODING)
    except UnicodeEncodeError:
        return False
    return True


def can_show(text: str) -> bool:
    """Return whether a report can show a text as it is, but for signs that look alike."""
    return all(_encodable(letter) or (letter in ALIKE and not letter.isalpha()) for letter in text)
