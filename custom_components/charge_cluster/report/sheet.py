"""The pages of a report: headings, paragraphs, tables that go on over pages, lines to sign on, numbered feet.

What stands on them is somebody else's business. Lengths are in mm, sizes of type in points.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import override

from fpdf import FPDF, XPos, YPos

from .characters import ENCODING, Characters

FONT = "Helvetica"
MARGIN = 15.0
FOOT = 18.0
LEADING = 1.25
"""Height of a line as a multiple of its type."""
MM_A_POINT = 25.4 / 72.0

BODY, SMALL, TITLE, HEADING, SUBHEADING = 9.0, 8.0, 20.0, 13.0, 10.5
PADDING = 1.2
RULE_GREY = 170
HEAD_GREY = 235
FOOT_GREY = 90

MOST_LINES = 20
"""Of a cell: a row is never higher than a page, whatever somebody typed."""
CUT = "…"

KEEP_TOGETHER = 30.0
"""A heading is not left alone at the foot of a page: so much must follow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table."""

    head: str
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table."""

    cells: Sequence[str]
    strong: frozenset[int] = frozenset()
    """Cells that catch the eye."""
    note: str = ""
    """Stands below the cells over their whole width."""


class _Pages(FPDF):
    """Pages with a foot."""

    def __init__(self, foot: str, page: str) -> None:
        super().__init__(format="A4")
        self._foot = foot
        self._page = page
        """Sentence with {page} and {pages}."""

    @override
    def footer(self) -> None:
        self.set_y(-FOOT + 4.0)
        self.set_font(FONT, size=SMALL)
        self.set_text_color(FOOT_GREY)
        numbered = self._page.format(page=self.page_no(), pages=self.str_alias_nb_pages)
        self.cell(self.epw - 30.0, 5.0, self._foot)
        self.cell(30.0, 5.0, numbered, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_text_color(0)


class Sheet:
    """Writes a report from its top to its end."""

    def __init__(self, *, title: str, foot: str, page: str, made_at: datetime) -> None:
        """Begin the first page."""
        self.characters = Characters()
        fit = self.characters.printable
        self._pdf = _Pages(fit(foot), fit(page))
        self._pdf.core_fonts_encoding = ENCODING
        self._pdf.set_margins(MARGIN, MARGIN)
        self._pdf.set_auto_page_break(auto=False, margin=FOOT)
        self._pdf.set_title(fit(title))
        self._pdf.set_creation_date(made_at)
        self._pdf.set_draw_color(RULE_GREY)
        self._pdf.set_line_width(0.2)
        self._widths: dict[tuple[str, float, str], float] = {}
        self._pdf.add_page()

    @property
    def width(self) -> float:
        """Return the width between the margins."""
        return float(self._pdf.epw)

    def finish(self) -> bytes:
        """Return the whole as a file."""
        return bytes(self._pdf.output())

    # Text ----------------------------------------------------------------------------------------------------------

    def title(self, text: str, below: str) -> None:
        """Write what the report is called."""
        self._write(text, size=TITLE, style="B")
        self._write(below, size=HEADING)
        self.space(3.0)

    def heading(self, text: str, *, followed_by: float = KEEP_TOGETHER) -> None:
        """Begin a part; so much must follow it on the page."""
        self._need(followed_by)
        self.space(4.0)
        self._write(text, size=HEADING, style="B")
        self.space(1.0)

    def subheading(self, text: str, *, followed_by: float = KEEP_TOGETHER) -> None:
        """Begin a piece of a part; so much must follow it on the page."""
        self._need(followed_by)
        self.space(2.5)
        self._write(text, size=SUBHEADING, style="B")

    def paragraph(self, text: str, *, style: str = "", size: float = BODY) -> None:
        """Write a paragraph."""
        self._write(text, size=size, style=style)
        self.space(0.8)

    def item(self, text: str) -> None:
        """Write one of a list."""
        self._write(text, size=BODY, bullet="•")
        self.space(0.4)

    def space(self, height: float) -> None:
        """Leave some room."""
        self._pdf.set_y(self._pdf.get_y() + height)

    def pairs(self, pairs: Iterable[tuple[str, str]], *, named: float = 45.0) -> None:
        """Write names and what they stand for, side by side."""
        for name, text in pairs:
            lines = _bounded(self._wrapped(text, self.width - named, BODY, ""))
            self._need(len(lines) * _line(BODY))
            top = self._pdf.get_y()
            self._line_at(MARGIN, top, name, BODY, "B")
            for number, line in enumerate(lines):
                self._line_at(MARGIN + named, top + number * _line(BODY), line, BODY, "")
            self._pdf.set_y(top + max(1, len(lines)) * _line(BODY))

    def lines_to_sign(self, names: Sequence[str], *, apart: float = 12.0) -> None:
        """Draw lines to write on, each with its name below."""
        self._need(apart * len(names))
        for name in names:
            y = self._pdf.get_y() + apart - _line(SMALL)
            self._pdf.line(MARGIN, y, MARGIN + self.width * 0.6, y)
            self._line_at(MARGIN, y + 0.5, self.characters.printable(name), SMALL, "")
            self._pdf.set_y(y + _line(SMALL))

    def _write(self, text: str, *, size: float, style: str = "", bullet: str = "") -> None:
        indent = 4.0 if bullet else 0.0
        for number, line in enumerate(self._wrapped(text, self.width - indent, size, style)):
            self._need(_line(size))
            top = self._pdf.get_y()
            if bullet and number == 0:
                self._line_at(MARGIN, top, bullet, size, style)
            self._line_at(MARGIN + indent, top, line, size, style)
            self._pdf.set_y(top + _line(size))

    # Tables --------------------------------------------------------------------------------------------------------

    def table(self, columns: Sequence[Column], rows: Iterable[Row]) -> None:
        """Draw a table; its head stands again at the top of each page, and no row is torn apart."""
        waiting = [self._laid_out(columns, row) for row in rows]
        if not waiting:
            return
        head = self._laid_out(columns, Row(cells=[column.head for column in columns]), style="B")
        self._need(head.height + waiting[0].height)
        self._draw(columns, head, head=True)
        for row in waiting:
            if self._left() < row.height:
                self._pdf.add_page()
                self._draw(columns, head, head=True)
            self._draw(columns, row)
        self.space(1.5)

    def _laid_out(self, columns: Sequence[Column], row: Row, *, style: str = "") -> _LaidOut:
        cells = [
            _bounded(self._wrapped(text, column.width - 2 * PADDING, SMALL, "B" if number in row.strong else style))
            for number, (column, text) in enumerate(zip(columns, row.cells, strict=True))
        ]
        across = sum(column.width for column in columns) - 2 * PADDING
        note = _bounded(self._wrapped(row.note, across, SMALL, ""))
        styles = ["B" if number in row.strong else style for number in range(len(cells))]
        return _LaidOut(cells=cells, styles=styles, note=note)

    def _draw(self, columns: Sequence[Column], row: _LaidOut, *, head: bool = False) -> None:
        x, top = MARGIN, self._pdf.get_y()
        across = sum(column.width for column in columns)
        if head:
            self._pdf.set_fill_color(HEAD_GREY)
            self._pdf.rect(x, top, across, row.height, style="F")
        for column, lines, style in zip(columns, row.cells, row.styles, strict=True):
            for number, line in enumerate(lines):
                self._line_at(x + PADDING, top + PADDING / 2 + number * _line(SMALL), line, SMALL, style)
            x += column.width
        below = top + PADDING / 2 + row.cells_height
        for number, line in enumerate(row.note):
            self._line_at(MARGIN + PADDING, below + number * _line(SMALL), line, SMALL, "")
        self._pdf.line(MARGIN, top + row.height, MARGIN + across, top + row.height)
        self._pdf.set_y(top + row.height)

    # Room ----------------------------------------------------------------------------------------------------------

    def _left(self) -> float:
        return float(self._pdf.h - FOOT - self._pdf.get_y())

    def _need(self, height: float) -> None:
        if self._left() < height and self._pdf.get_y() > MARGIN:
            self._pdf.add_page()

    def _line_at(self, x: float, y: float, line: str, size: float, style: str) -> None:
        """Put a line of printable text somewhere."""
        self._pdf.set_font(FONT, style=style, size=size)
        self._pdf.text(x, y + size * MM_A_POINT, line)

    def _wrapped(self, text: str, width: float, size: float, style: str) -> list[str]:
        """Return a text as printable lines that are not wider than `width`."""
        lines: list[str] = []
        line, used = "", 0.0
        space = self._width(" ", size, style)
        for word in self.characters.printable(text).split(" "):
            for piece in self._pieces(word, width, size, style):
                wide = self._width(piece, size, style)
                if line and used + space + wide > width:
                    lines.append(line)
                    line, used = piece, wide
                elif line:
                    line, used = f"{line} {piece}", used + space + wide
                else:
                    line, used = piece, wide
        return [*lines, line] if line else lines

    def _pieces(self, word: str, width: float, size: float, style: str) -> Iterable[str]:
        """Return a word, in pieces where it is wider than a line."""
        if self._width(word, size, style) <= width:
            return (word,)
        pieces, piece = [], ""
        for letter in word:
            if piece and self._width(piece, size, style) + self._width(letter, size, style) > width:
                pieces.append(piece)
                piece = ""
            piece += letter
        return (*pieces, piece)

    def _width(self, text: str, size: float, style: str) -> float:
        key = (text, size, style)
        known = self._widths.get(key)
        if known is None:
            self._pdf.set_font(FONT, style=style, size=size)
            known = self._widths[key] = float(self._pdf.get_string_width(text))
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class _LaidOut:
    """A row whose text is broken into lines."""

    cells: Sequence[Sequence[str]]
    styles: Sequence[str]
    note: Sequence[str]

    @property
    def cells_height(self) -> float:
        return max(1, *(len(lines) for lines in self.cells)) * _line(SMALL)

    @property
    def height(self) -> float:
        return self.cells_height + len(self.note) * _line(SMALL) + PADDING


def _bounded(lines: list[str]) -> list[str]:
    return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], CUT]


def _line(size: float) -> float:
    """Return the height of a line."""
    return size * MM_A_POINT * LEADING
