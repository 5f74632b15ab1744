"""The cooling record as PDF for the food inspection: curve, days, silences, alarms, and what became of held goods."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from flask_babel import gettext as _
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace

from shop_hub.climate import chart, words
from shop_hub.climate.records import Record
from shop_hub.core.formats import day

_FONT = "Helvetica"
_MARGIN = 15
_CHART_HEIGHT = 55.0
_HEADINGS = FontFace(emphasis="BOLD", fill_color=(235, 235, 235))
_LINE, _BAND, _GRID = (20, 100, 50), (226, 241, 226), (200, 200, 200)


class _Page(FPDF):
    """A4 upright; each page bears its number and what it is about."""

    def __init__(self, about: str) -> None:
        super().__init__(format="A4")
        self._about = about
        self.set_margin(_MARGIN)
        self.set_auto_page_break(auto=True, margin=_MARGIN)

    def footer(self) -> None:
        """Write the page's last line; fpdf2 calls this."""
        self.set_y(-12)
        self.set_font(_FONT, size=8)
        self.cell(0, 6, plain(f"{self._about} · {self.page_no()}/{{nb}}"), align="C")


def render(record: Record, *, shop: str, address: str) -> bytes:
    """Return the record as a PDF file in the reader's language."""
    page = _Page(f"{shop} · {record.probe.name}")
    page.set_title(plain(_("Cooling record")))
    page.set_creation_date(record.until)
    page.add_page()
    _head(page, record, shop, address)
    _draw(page, record)
    _days(page, record)
    _silences(page, record)
    _alarms(page, record)
    _blocks(page, record)
    page.ln(12)
    page.cell(0, 6, plain(_("Checked on, name, signature: ____________________")))
    return bytes(page.output())


def plain(text: str) -> str:
    """Return what the built-in fonts can write: Latin-1; anything else becomes a question mark."""
    return text.replace("\N{EN DASH}", "-").encode("latin-1", "replace").decode("latin-1")


def _head(page: _Page, record: Record, shop: str, address: str) -> None:
    _write(page, _("Cooling record"), size=16, is_bold=True)
    _write(page, f"{record.probe.name} · {shop}, {address}")
    limits = words.degrees(record.probe.min_milli), words.degrees(record.probe.max_milli)
    _write(page, _("allowed %(low)s to %(high)s", low=limits[0], high=limits[1]))
    _write(page, f"{words.exact(record.since)} - {words.exact(record.until)}")
    page.ln(2)


def _draw(page: _Page, record: Record) -> None:
    """Draw the same curve as the backoffice, scaled to the page."""
    if record.since >= record.until:
        return
    limits = (record.probe.min_milli, record.probe.max_milli)
    drawn = chart.draw(record.readings, limits, record.since, record.until)
    scale = page.epw / chart.WIDTH
    top = page.get_y()

    def place(x: float, y: float) -> tuple[float, float]:
        return page.l_margin + x * scale, top + y * _CHART_HEIGHT / chart.HEIGHT

    left, right = chart.LEFT, chart.WIDTH - chart.RIGHT
    page.set_fill_color(*_BAND)
    corner, end = place(left, drawn.band_top), place(right, drawn.band_bottom)
    page.rect(*corner, end[0] - corner[0], max(0.0, end[1] - corner[1]), style="F")
    page.set_font(_FONT, size=7)
    page.set_draw_color(*_GRID)
    for mark in drawn.temperatures:
        page.line(*place(left, mark.at), *place(right, mark.at))
        page.text(*place(8, mark.at + 4), plain(f"{mark.label} °C"))
    for when in drawn.times:
        page.text(*place(when.at - 24, chart.HEIGHT - 8), plain(day(when.moment)))
    page.set_draw_color(*_LINE)
    for path in drawn.paths:
        points = [place(*map(float, point.split(" "))) for point in path[1:].split(" L")]
        page.polyline(points)
    page.set_draw_color(0)
    page.set_fill_color(255)
    page.set_y(top + _CHART_HEIGHT + 4)


def _days(page: _Page, record: Record) -> None:
    headings = [_("Day"), _("Readings"), _("Lowest"), _("Highest"), _("Without reading")]
    rows = [
        [day(d.day), str(d.readings), words.degrees(d.lowest_milli), words.degrees(d.highest_milli), _span(d.silent)]
        for d in record.days
    ]
    _table(page, _("Days"), headings, rows)


def _silences(page: _Page, record: Record) -> None:
    rows = [[words.exact(began), words.exact(ended), _span(ended - began)] for began, ended in record.gaps]
    _table(page, _("Without reading"), [_("From"), _("To"), _("How long")], rows)


def _alarms(page: _Page, record: Record) -> None:
    rows = [
        [
            words.exact(alarm.began_at),
            words.exact(alarm.ended_at) if alarm.ended_at else _("still on"),
            f"{_(words.SIDE[alarm.side])}, {words.degrees(alarm.worst_milli)}",
            alarm.note,
        ]
        for alarm in record.alarms
    ]
    _table(page, _("Alarms"), [_("Began"), _("Ended"), _("Worst"), _("Note")], rows)


def _blocks(page: _Page, record: Record) -> None:
    rows = [
        [
            block.group,
            words.exact(block.outside_since),
            f"{words.degrees(block.worst_milli)} ({_('allowed up to %(high)s', high=words.degrees(block.max_milli))})",
            _(words.DECISION[block.decision]) if block.decision else _("not decided yet"),
            block.reason,
        ]
        for block in record.blocks
    ]
    headings = [_("Goods"), _("Too warm since"), _("Worst"), _("Decision"), _("Reason")]
    _table(page, _("Goods that were not sold"), headings, rows)


def _table(page: _Page, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table with its heading; an empty one says so, so that nobody wonders whether it was left out."""
    listed = list(rows)
    page.ln(3)
    _write(page, title, size=12, is_bold=True)
    page.set_font(_FONT, size=9)
    if not listed:
        page.cell(0, 6, plain(_("none")), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        return
    with page.table(headings_style=_HEADINGS, line_height=5, borders_layout="HORIZONTAL_LINES") as table:
        for row in (headings, *listed):
            written = table.row()
            for text in row:
                written.cell(plain(text))


def _write(page: _Page, text: str, *, size: int = 10, is_bold: bool = False) -> None:
    page.set_font(_FONT, style="B" if is_bold else "", size=size)
    page.cell(0, size * 0.6, plain(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _span(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    return f"{minutes // 60}:{minutes % 60:02d} h" if minutes else "\N{EN DASH}"
