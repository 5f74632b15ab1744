"""Villagers who write notices at the kiosk, and take them down again."""

from shop_hub.demo.browser import Browser
from shop_hub.demo.busy.world import NotNowError, World

MOST_ON_BOARD = 6
NOTICES = (
    ("give", "drei Stühle aus Buche. Sie stehen trocken in der Scheune."),
    ("give", "Setzlinge: Kürbis, Zucchini und rote Bete."),
    ("give", "ein Kinderfahrrad, 20 Zoll, die Klingel fehlt."),
    ("sell", "Honig vom eigenen Bienenstand, das Glas für 6 Euro."),
    ("sell", "einen Rasenmäher. Er läuft gut, ist aber laut."),
    ("seek", "eine Mitfahrgelegenheit zum Markt, dienstags früh."),
    ("seek", "leere Einmachgläser mit Gummiring."),
    ("lost", "Schlüssel mit blauem Band, zwischen Anger und Kirche."),
    ("found", "Lesebrille auf der Bank vor dem Laden."),
    ("help", "dem neuen Telefon? Es gibt Kaffee und Kuchen dafür."),
    ("help", "der Hecke? Die Leiter ist da."),
    ("can", "Briefen an Ämter, jeden Donnerstag ab 15 Uhr."),
    ("other", "Spieleabend am Freitag im Gemeindehaus. Wer kommt, bringt ein Spiel mit."),
    ("other", "Unsere Katze heißt Mauz und wohnt jetzt im Hofladen. Bitte nicht füttern."),
)
"""How a notice begins (the start that is touched) and how it goes on."""


def write_notice(world: World) -> str:
    """Somebody writes a notice that does not hang on the board yet, and hands it in."""
    hanging = " ".join(_titles(world.office(), "shown") + _titles(world.office(), "waiting"))
    fresh = [each for each in NOTICES if beginning(each[1]) not in hanging]
    if len(fresh) <= len(NOTICES) - MOST_ON_BOARD:
        raise NotNowError("the board is full enough")
    start, text = world.random.choice(fresh)
    who, kiosk = world.anyone(), world.kiosk
    kiosk.go("/kiosk/board/write")
    form = kiosk.go(f"/kiosk/board/write/text?start={start}").form("/write/text")
    page = kiosk.submit(form, text=f"{form.fields['text']} {text}".strip())
    contact = who.name.split()[0] if world.random.random() < 0.5 else ""  # noqa: PLR2004 - every other one
    page = kiosk.submit(page.form("/write/contact"), contact=contact)
    page = kiosk.submit(page.form("/board/write"))
    if "/thanks" not in page.address:
        raise NotNowError(f"the notice was not taken: {page.words}")
    return f"{who.name} wrote a notice: {text}"


def take_notice_down(world: World) -> str:
    """An operator takes the oldest notice of these people down, so that there is room for others."""
    office = world.office()
    links = office.go("/office/board/?tab=shown").links_to("/office/board/")
    own = [link for link in links if any(beginning(text) in link.text for _start, text in NOTICES)]
    if not own:
        raise NotNowError("there is room on the board")
    page = office.go(own[-1].address)
    page = office.submit(page.form("/withdraw"))
    return f"The operator took a notice down: {own[-1].text}"


def _titles(office: Browser, tab: str) -> list[str]:
    return [link.text for link in office.go(f"/office/board/?tab={tab}").links_to("/office/board/")]


def beginning(text: str) -> str:
    """Return the first words, which stand in the notice's title even where that is cut."""
    return " ".join(text.split()[:2]).rstrip(".,:?")
