"""People at the kiosk who shop, buy from the vending machine and come in by the door."""

import urllib.parse

from shop_hub.demo.browser import Page, RefusedError
from shop_hub.demo.busy.world import NOT_KNOWN, NotNowError, Villager, World

MOST_ARTICLES = 4
SEARCHES = 0.2
VENDING_PAGES = 4
RECEIPT = "/shop/receipt/"


def buy_from_account(world: World) -> str:
    """Somebody shops and pays with member card and PIN."""
    who, page = world.anyone(), _fill_basket(world)
    page = world.kiosk.follow(_checkout(world, page), "/shop/account")
    page = world.identify(page, "/shop/card", who, code=who.card)
    page = world.identify(page, "/shop/pin", who, pin=who.pin)
    if not page.forms_to("/shop/pay/account"):
        world.short_of_money.append(who)
        _pay_at_terminal(world, _checkout(world, page))
        return f"{who.name} had too little in the village account and paid by bank card"
    page = world.kiosk.submit(page.form("/shop/pay/account"))
    if RECEIPT not in page.address:
        raise NotNowError(f"no receipt: {page.title} {page.words}")
    return f"{who.name} shopped and paid from the village account"


def buy_by_card(world: World) -> str:
    """Somebody shops and pays by bank card."""
    _pay_at_terminal(world, _checkout(world, _fill_basket(world)))
    return f"{world.anyone().name} shopped and paid by bank card"


def leave_goods(world: World) -> str:
    """Somebody scans a few things, thinks better of it and clears the basket."""
    page = _fill_basket(world)
    world.kiosk.submit(page.form("/shop/cancel"))
    return f"{world.anyone().name} put everything back on the shelf"


def buy_from_vending_machine(world: World) -> str:
    """Somebody chooses a slot, pays, and takes what drops."""
    number = world.random.randint(1, VENDING_PAGES)
    slots = world.kiosk.go(f"/kiosk/vending?page={number}").links_to("/vending/slots/")
    if not slots:
        raise NotNowError("nothing is for sale in these slots")
    page, who = world.kiosk.go(world.random.choice(slots).address), world.anyone()
    if page.forms_to("/terminal") and world.random.random() < 0.5:  # noqa: PLR2004 - every other one
        page = world.kiosk.submit(page.form("/terminal"))
    else:
        page = _vend_from_account(world, world.kiosk.follow(page, "/account"), who)
    page = world.wait(page)
    if not page.links_to(RECEIPT):
        raise NotNowError(f"the vending machine says: {page.words}")
    return f"{who.name} bought from the vending machine, {page.title}"


def come_in(world: World) -> str:
    """Somebody opens the shop door with the member card; the door's own twin has the person walk in."""
    who = world.anyone()
    page = world.wait(world.identify(world.kiosk.go("/kiosk/door"), "/door/card", who, code=who.card))
    return f"{who.name} came to the shop door: {page.words}"


def _fill_basket(world: World) -> Page:
    """Scan a few articles, or find them by name; what is refused stays on the shelf."""
    page = world.kiosk.follow(world.kiosk.go("/kiosk/"), "/kiosk/shop")
    for article in world.random.sample(world.articles, world.random.randint(1, MOST_ARTICLES)):
        try:
            if world.random.random() < SEARCHES:
                page = _find(world, page, article.name)
            else:
                page = world.kiosk.submit(page.form("/shop/scan"), code=article.gtin)
        except RefusedError as refusal:  # no age proven, or no price: the page shows the basket as it was
            page = refusal.page
    if not page.forms_to("/shop/checkout"):
        raise NotNowError(f"nothing came into the basket: {page.words}")
    return page


def _find(world: World, page: Page, name: str) -> Page:
    """Type a word of the name and touch the first article that is found."""
    page = world.kiosk.follow(page, "/shop/search")
    page = world.kiosk.submit(page.form("/shop/goods"), words=name.split(maxsplit=1)[0])
    if not page.forms_to("/shop/goods"):
        return world.kiosk.follow(page, "/kiosk/shop")
    return world.kiosk.submit(page.form("/shop/goods"))


def _checkout(world: World, page: Page) -> Page:
    """Touch "Pay"; where a price has changed meanwhile the basket is shown first."""
    if "/shop/account" in urllib.parse.urlsplit(page.address).path:
        return world.kiosk.follow(page, "/shop/pay")
    page = world.kiosk.submit(page.form("/shop/checkout"))
    if page.forms_to("/shop/checkout"):
        page = world.kiosk.submit(page.form("/shop/checkout"))
    return page


def _pay_at_terminal(world: World, page: Page) -> None:
    """Hold a card to the terminal, wait for the receipt; where it is declined the goods go back on the shelf."""
    if not page.forms_to("/pay/card"):
        raise NotNowError("the card terminal is not connected")
    page = world.wait(world.kiosk.submit(page.form("/pay/card")))
    if RECEIPT in page.address:
        return
    words, page = page.words, world.kiosk.go("/kiosk/shop")
    if page.forms_to("/shop/cancel"):
        world.kiosk.submit(page.form("/shop/cancel"))
    raise NotNowError(words)


def _vend_from_account(world: World, page: Page, who: Villager) -> Page:
    page = world.identify(page, "/card", who, code=who.card)
    try:
        return world.identify(page, "/account", who, pin=who.pin)
    except RefusedError as refusal:
        if refusal.page.status in NOT_KNOWN:
            raise
        world.short_of_money.append(who)
        raise NotNowError(refusal.page.words) from refusal
