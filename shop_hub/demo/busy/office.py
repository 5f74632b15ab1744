"""People in the office who keep the shop going: goods, money, notices, the vending machine."""

import re
import time

from shop_hub.demo.browser import Browser, Page
from shop_hub.demo.busy.world import Article, NotNowError, Villager, World

MOST_LINES = 6
MOST_SLOTS = 8
USUAL_PIECES = 12
DAY_S = 86_400
AMOUNTS = ("20,00", "30,00", "50,00")


def approve_notice(world: World) -> str:
    """An operator reads what waits and puts it on the board."""
    office = world.office()
    page = office.go("/office/board/")
    if not page.forms_to("/approve"):
        raise NotNowError("no notice waits")
    page = office.submit(page.form("/approve"))
    return f"The operator approved a notice: {page.words}"


def top_up(world: World) -> str:
    """Somebody pays money into the village account; who has run out comes first."""
    who = world.short_of_money.pop() if world.short_of_money else world.anyone()
    office = world.office()
    page = _account_of(office, who)
    amount = world.random.choice(AMOUNTS)
    page = office.submit(page.form("/top-up"), amount=amount)
    if "/top-up/" not in page.address:
        raise NotNowError(f"no receipt for the money: {page.words}")
    return f"{who.name} paid {amount} euros in"


def receive_goods(world: World) -> str:
    """A delivery comes: what runs low is scanned and booked; where nothing does, something fresh comes anyway."""
    office = world.office("volunteer")
    wanted = _wanted(world, office)
    page = office.go("/office/stock/deliveries/")
    form = page.form("/deliveries/")
    suppliers = [value for value in form.options["supplier"] if value]
    note = f"LS-{time.time_ns() // 10**6}"
    page = office.submit(form, supplier=world.random.choice(suppliers), delivery_note=note)
    for article, pieces in wanted:
        page = office.submit(page.form("/scan"), barcode=article.gtin)
        page = office.submit(page.form("/lines/"), good=str(pieces), **_date(article))
    page = office.submit(page.form("/book"))
    if page.forms_to("/book"):
        raise NotNowError(f"the delivery was not booked: {page.words}")
    return f"Delivery {note} with {len(wanted)} articles is booked"


def refill_vending_machine(world: World) -> str:
    """A volunteer fills the emptiest slots and enters what lies in them."""
    office = world.office("volunteer")
    page = office.follow(office.go("/office/vending/"), "/refill")
    rows = [row for row in page.rows if len(row) > 4 and row[4].isdigit()]  # noqa: PLR2004 - "bring" is the fifth
    if not rows:
        raise NotNowError("the vending machine is full")
    emptiest = sorted(rows, key=lambda row: int(row[4]), reverse=True)[:MOST_SLOTS]
    for slot, _name, _now, fits, *_more in emptiest:
        world.machine("automat", "refill", node=f"slot-{int(slot):02}", stock=int(fits))
    page = office.submit(page.form("/refill"), **{f"slot-{row[0]}": row[3] for row in emptiest})
    return f"{len(emptiest)} slots of the vending machine are filled"


def count_stock(world: World) -> str:
    """A volunteer counts an article; nothing is missing, or one piece."""
    article, office = world.random.choice(world.articles), world.office("volunteer")
    page = office.go(f"/office/stock/find?code={article.gtin}")
    level = next((int(text) for text in re.findall(r"^\d+", page.figures[0])), 0)
    missing = world.random.random() < 0.1 and level > 0  # noqa: PLR2004 - one in ten
    page = office.submit(page.form("/count"), counted=str(max(0, level - missing)))
    return f"{article.name} was counted: {page.words}"


def _account_of(office: Browser, who: Villager) -> Page:
    page = office.submit(office.go("/office/people/").form("/office/people"), q=who.name)
    wanted = set(who.name.split())
    for link in page.links_to("/office/people/"):
        if set(link.text.replace(",", " ").split()) == wanted:
            return office.go(link.address)
    raise NotNowError(f"{who.name} is not on the list of people")


def _wanted(world: World, office: Browser) -> list[tuple[Article, int]]:
    """Return what runs low and how many pieces are missing."""
    by_name = {article.name: article for article in world.articles}
    rows = [row for row in office.go("/office/stock/").rows if len(row) == 5 and row[0] in by_name]  # noqa: PLR2004
    found = [(by_name[row[0]], int(row[4]) if row[4].isdigit() else USUAL_PIECES) for row in rows[:MOST_LINES]]
    return [(article, max(1, pieces)) for article, pieces in found] or [
        (article, USUAL_PIECES) for article in world.random.sample(world.articles, 2)
    ]


def _date(article: Article) -> dict[str, str]:
    if article.days is None:
        return {}
    day = time.strftime("%Y-%m-%d", time.localtime(time.time() + article.days * DAY_S))
    return {"date": day, "date_kind": article.date_kind}
