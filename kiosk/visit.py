"""What a visitor may change about the screen, and how everything is forgotten afterwards."""

from urllib.parse import urlsplit

from flask import redirect, request, url_for
from flask import session as visit
from flask.typing import ResponseReturnValue

from kiosk.blueprint import blueprint
from kiosk.page import REACHES, THEMES, ZOOMS
from shop_hub.core.access import Role, access
from shop_hub.core.errors import BadInputError
from shop_hub.core.visits import Visit
from shop_hub.core.web import hub


@blueprint.post("/display")
@access(Role.ANONYMOUS)
def set_display() -> ResponseReturnValue:
    """Change text size, light and dark, or the height of the keys for this visit."""
    allowed = {"zoom": ZOOMS, "theme": THEMES, "reach": REACHES}
    wanted = {name: request.form[name] for name in allowed if name in request.form}
    if not wanted or any(value not in allowed[name] for name, value in wanted.items()):
        raise BadInputError(field="display")
    visit.update(wanted)
    return redirect(_back())


@blueprint.post("/language")
@access(Role.ANONYMOUS)
def set_language() -> ResponseReturnValue:
    """Change the language for this visit."""
    wanted = request.form.get("language", "")
    if wanted not in hub().settings.languages:
        raise BadInputError(field="language")
    visit["language"] = wanted
    return redirect(_back())


@blueprint.post("/reset")
@access(Role.ANONYMOUS)
def reset() -> ResponseReturnValue:
    """Forget the visitor: session, display, language, basket in view; then home."""
    current = visit._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - behind Flask's proxy
    if isinstance(current, Visit):
        current.end()
    return redirect(url_for("kiosk.home", fresh=1))


def _back() -> str:
    """Return the page the visitor came from: only ever a path of the kiosk."""
    wanted = urlsplit(request.form.get("next", ""))
    is_ours = not wanted.netloc and not wanted.scheme and wanted.path.startswith("/kiosk")
    return wanted.geturl() if is_ours else url_for("kiosk.home")
