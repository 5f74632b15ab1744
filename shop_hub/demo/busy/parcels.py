"""Parcels: announced by the carrier, put in by couriers, collected by villagers."""

from shop_hub.demo.browser import Form, Page
from shop_hub.demo.busy.world import Courier, NotNowError, World
from shop_hub.parcels.check_digits import is_mod10_31, mod37_36

MOST_ANNOUNCED = 16
MOST_IN_STATION = 16
"""Two thirds of the 24 compartments: above it people collect before couriers bring more."""
MOST_AT_ONCE = 3
TRIES = 3
SENDERS = (
    "Gartenversand Grünblick",
    "Schuhhaus Wanderlust",
    "Wollstube Fadenlauf",
    "Bücher Lesezeichen",
    "Teehaus Nord",
)
SIZES = ("S", "S", "S", "M", "M", "L")
API_CARRIER = "blauerbote"
"""Whose token the demo gives out for the API."""


def number(world: World, carrier: str) -> str:
    """Return a fresh parcel number as a carrier prints it, with the right check digit."""
    serial = f"{world.random.randrange(10**7):07}"
    if carrier == "rotfuchs":
        body = f"0101502{serial}"
        return body + mod37_36(body)
    body = f"0091{serial}{serial[:2]}" if carrier == API_CARRIER else f"340999{serial}{serial[:4]}"
    check = next(digit for digit in "0123456789" if is_mod10_31(body + digit))
    return body + check if carrier == API_CARRIER else f"00{body}{check}"


def announce(world: World) -> str:
    """A carrier tells by the API what it will bring."""
    if len(_listed(world, "announced")) >= MOST_ANNOUNCED:
        raise NotNowError("enough parcels are on their way")
    who, sender = world.anyone(), world.random.choice(SENDERS)
    body = {
        "number": number(world, API_CARRIER),
        "recipient_name": who.name,
        "recipient_address": who.address,
        "size": world.random.choice(SIZES),
        "sender": sender,
    }
    answer = world.post("/parcels", body, token="carrier")  # noqa: S106 - the name of one
    return f"{sender} sends {who.name} a parcel, number {answer['number']}"


def deliver(world: World) -> str:
    """A courier signs in with the badge and puts parcels in, announced ones and sometimes one that nobody knows of."""
    if len(_listed(world, "here")) >= MOST_IN_STATION:
        return collect(world)
    courier = world.random.choice(world.couriers)
    announced = [row[0].split(maxsplit=1) for row in _listed(world, "announced")]
    numbers = [label for label, carrier in announced if world.carriers.get(carrier) == courier.carrier]
    numbers = numbers[-MOST_AT_ONCE:] or [number(world, courier.carrier)]
    page = _sign_in(world, courier)
    refused = []
    for label in numbers:
        page, words = _put_in(world, page, label)
        refused += [f"{label}: {words}"] if words else []
    world.kiosk.submit(page.form("/courier/leave"))
    story = (
        f"{courier.name} put {len(numbers) - len(refused)} of {len(numbers)} parcels in {'; '.join(refused)}".strip()
    )
    if len(refused) == len(numbers):
        raise NotNowError(story)
    return story


def collect(world: World) -> str:
    """A recipient shows card and PIN, and takes everything out that waits."""
    names = {row[1] for row in _listed(world, "here")}
    waiting = [villager for villager in world.villagers if villager.name in names]
    if not waiting:
        raise NotNowError("no parcel waits for anyone")
    who = world.random.choice(waiting)
    page = world.identify(world.kiosk.go("/kiosk/parcels"), "/parcels/scan", who, code=who.card)
    page = world.identify(page, "/parcels/pin", who, pin=who.pin)
    doors = (
        [link.address for link in page.links_to("/kiosk/parcels/")]
        if page.address.endswith("/mine")
        else [page.address]
    )
    taken = sum(_take_out(world, world.kiosk.go(address)) for address in doors)
    if not taken:
        raise NotNowError(f"{who.name} got nothing: {page.title} {page.words}")
    return f"{who.name} collected {taken} of {len(doors)} parcels"


def _listed(world: World, group: str) -> list[list[str]]:
    """Return the rows of a list of the office: number with carrier, recipient, and more."""
    page = world.office().go(f"/office/parcels/?group={group}")
    return [row for row in page.rows if len(row) > 1 and row[0][:1].isdigit()]


def _sign_in(world: World, courier: Courier) -> Page:
    page = world.kiosk.submit(world.kiosk.go("/kiosk/courier").form("/courier/scan"), code=courier.badge)
    return _at_desk(world, page)


def _put_in(world: World, page: Page, label: str) -> tuple[Page, str]:
    """Scan a label, answer what is asked, put the parcel in; return the desk, and its words if it took no parcel."""
    page = world.kiosk.submit(page.form("/courier/scan"), code=label)
    if page.forms_to("/courier/recipient"):
        page = _name_recipient(world, page)
    if page.forms_to("/courier/size"):
        page = world.kiosk.submit(page.form("/courier/size"), button=world.random.choice(SIZES))
    if page.forms_to("/courier/leave"):
        return page, page.notices[0]
    return _at_desk(world, page), ""


def _name_recipient(world: World, page: Page) -> Page:
    page = world.kiosk.submit(page.form("/courier/recipient"), q=world.anyone().name.split()[-1])
    choice = next((form for form in page.forms if any(name == "person" for name, _value in form.buttons)), None)
    if choice is None:
        raise NotNowError("nobody to choose from")
    return world.kiosk.submit(choice)


def _at_desk(world: World, page: Page) -> Page:
    """Wait until the courier may scan the next label; answer what the desk asks about a door meanwhile."""
    for _ in range(TRIES):
        page = world.wait(page, until=lambda shown: shown.forms_to("/courier/leave") or _key(shown) is not None)
        key = _key(page)
        if key is None:
            return page
        page = world.kiosk.submit(key[0], button=key[1])
    return world.wait(page, until=lambda shown: shown.forms_to("/courier/leave"))


def _key(page: Page) -> tuple[Form, str] | None:
    """Return the key to touch when the door did not open, or when the parcel was not felt inside."""
    for button in ("inside", "retry"):
        for form in page.forms:
            if ("act", button) in form.buttons:
                return form, button
    return None


def _take_out(world: World, page: Page) -> bool:
    """Open the door of a parcel, take it out, say so where asked; return whether it is collected."""
    for _ in range(TRIES):
        if not page.forms_to("/open"):
            return False
        page = world.wait(world.kiosk.submit(page.form("/open")))
        if page.forms_to("/taken"):
            page = world.kiosk.submit(page.form("/taken", button="yes"), button="yes")
        if not page.forms_to("/open"):
            return True
    return False
