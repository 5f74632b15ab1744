"""What the frame of every kiosk view needs to know; templates call kiosk_page()."""

from dataclasses import dataclass
from datetime import datetime
from shutil import which
from urllib.parse import urlsplit, urlunsplit

from babel import Locale
from flask import current_app, g, request, url_for
from flask import session as visit
from flask.blueprints import BlueprintSetupState
from flask_babel import get_locale, gettext
from sqlalchemy import select
from werkzeug.exceptions import HTTPException

from kiosk.blueprint import blueprint
from kiosk.screen import Screen
from shop_hub.core import clock
from shop_hub.core.access import Principal, Role
from shop_hub.core.settings import Kiosk
from shop_hub.core.sites import Site
from shop_hub.core.web import hub, session

ZOOMS = ("100", "150", "200")
THEMES = ("light", "dark")
REACHES = ("fit", "low")
LANGUAGE_NAMES = {"de": "Deutsch", "en": "English", "pl": "Polski", "uk": "Українська", "tr": "Türkçe"}


@dataclass(frozen=True)
class Display:
    """One switch of the footer: what is shown, and the (value, label, icon) that a touch goes on to."""

    name: str
    shown: str
    states: tuple[tuple[str, str, str], ...]

    @property
    def offered(self) -> tuple[str, str, str]:
        """Return the state after the shown one."""
        values = [value for value, _label, _icon in self.states]
        return self.states[(values.index(self.shown) + 1) % len(self.states)]


@dataclass(frozen=True)
class Page:
    """The frame of a view."""

    place: str
    timezone: str
    now: datetime
    language: str
    direction: str
    languages: tuple[tuple[str, str], ...]
    screen: Screen
    zoom: Display
    theme: Display
    reach: Display
    is_paired: bool
    can_speak: bool
    settings: Kiosk

    @property
    def has_visitor(self) -> bool:
        """Tell whether the visit holds anything that the time limit would have to forget."""
        return bool(visit)

    @property
    def now_ms(self) -> int:
        """Return the hub's time for the clock of the header, in milliseconds since 1970."""
        return int(self.now.timestamp() * 1000)

    def idle_s(self, kind: str) -> int:
        """Return the seconds without touch after which the page asks whether someone is there (kiosk.md 3.2)."""
        return {
            "reading": self.settings.idle_reading_s,
            "form": self.settings.idle_form_s,
            "private": self.settings.idle_private_s,
            "courier": 120,
            "none": 0,
        }[kind]


def current() -> Page:
    """Return the frame of this request's view; also for pages about an error, which no view has made."""
    settings = hub().settings
    locale = get_locale() or Locale("de")
    site = _site()
    asking: Principal = g.get("principal", Principal())
    kiosk = settings.kiosk
    return Page(
        place=site.label if site else gettext("Village shop"),
        timezone=site.timezone if site else "Europe/Berlin",
        now=clock.now(),
        language=str(locale).replace("_", "-"),
        direction=locale.text_direction,
        languages=tuple((code, LANGUAGE_NAMES.get(code, code)) for code in settings.languages if code != str(locale)),
        screen=Screen(kiosk.width_mm, kiosk.css_width, kiosk.distance_mm),
        zoom=_zoom(),
        theme=_theme(),
        reach=_reach(kiosk.reach),
        is_paired=asking.has(Role.KIOSK),
        can_speak=which("espeak-ng") is not None,
        settings=kiosk,
    )


def way_back() -> str:
    """Return the page of the kiosk that was left for one that was refused, to try again there; "" if there is none."""
    left = urlsplit(request.referrer or "")
    if left.netloc != request.host or left.path == url_for("kiosk.home"):
        return ""
    routes = current_app.create_url_adapter(request)
    assert routes is not None  # noqa: S101 - there is a request
    try:
        endpoint, _arguments = routes.match(left.path, method="GET")
    except HTTPException:
        return ""
    is_page = endpoint.startswith("kiosk.") and (left.path != request.path or request.method != "GET")
    return urlunsplit(left._replace(scheme="", netloc="")) if is_page else ""


def _zoom() -> Display:
    steps = (
        ("100", gettext("Normal"), "text-size"),
        ("150", gettext("Larger"), "text-size"),
        ("200", gettext("Larger"), "text-size"),
    )
    return Display("zoom", _chosen("zoom", ZOOMS), steps)


def _theme() -> Display:
    return Display(
        "theme", _chosen("theme", THEMES), (("light", gettext("Light"), "sun"), ("dark", gettext("Dark"), "moon"))
    )


def _reach(usual: str) -> Display:
    states = (("fit", gettext("Higher"), "up"), ("low", gettext("Lower"), "wheelchair"))
    return Display("reach", _chosen("reach", (usual, *REACHES)), states)


def _chosen(name: str, allowed: tuple[str, ...]) -> str:
    value = visit.get(name) if visit else None
    return value if value in allowed else allowed[0]


def _site() -> Site | None:
    asking: Principal = g.get("principal", Principal())
    if asking.site_id is not None:
        return session().get(Site, asking.site_id)
    # An unpaired browser sees the board of the only shop; with several it sees a neutral name.
    sites = session().scalars(select(Site).limit(2)).all()
    return sites[0] if len(sites) == 1 else None


@blueprint.record_once
def _offer(state: BlueprintSetupState) -> None:
    state.app.jinja_env.globals["kiosk_page"] = current
    state.app.jinja_env.globals["here"] = lambda: request.full_path.rstrip("?")
    state.app.jinja_env.globals["way_back"] = way_back
