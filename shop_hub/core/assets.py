"""The browser files that build_hook.py made: their hashed addresses, and the route that serves them.

A name carries the hash of its content, so browsers may keep each file for a year without asking again.
"""

import json
from pathlib import Path

from flask import Flask, Response, request, send_from_directory

from shop_hub.core.access import Role, access
from shop_hub.core.errors import NotFoundError

FOLDER = Path(__file__).resolve().parents[2] / "kiosk" / "static" / "dist"
YEAR_S = 31_536_000
_manifests: dict[int, dict[str, str]] = {}


def asset(name: str) -> str:
    """Return the address of a built file by its logical name, e.g. kiosk.css.

    Raises:
        RuntimeError: the files were not built, or none has this name.
    """
    manifest = FOLDER / "manifest.json"
    try:
        version = manifest.stat().st_mtime_ns
    except FileNotFoundError:
        raise RuntimeError("the browser files are missing: run `python build_hook.py`") from None
    if version not in _manifests:
        _manifests.clear()
        _manifests[version] = json.loads(manifest.read_text(encoding="utf-8"))
    if name not in _manifests[version]:
        raise RuntimeError(f"no built file is named {name}")
    return f"/static/{_manifests[version][name]}"


def init_assets(app: Flask) -> None:
    """Serve the built files at /static/ and offer `asset(name)` to templates."""
    app.jinja_env.globals["asset"] = asset
    app.add_url_rule("/static/<name>", "static", _serve)


@access(Role.ANONYMOUS)
def _serve(name: str) -> Response:
    if name.endswith(".gz") or not (FOLDER / name).is_file():
        raise NotFoundError(what="file")
    packed = f"{name}.gz"
    is_packed = request.accept_encodings.quality("gzip") > 0 and (FOLDER / packed).is_file()
    mimetype = "text/javascript" if name.endswith(".js") else None
    if mimetype is None and is_packed:
        mimetype = {"css": "text/css", "svg": "image/svg+xml", "wasm": "application/wasm"}[name.rsplit(".", 1)[1]]
    response = send_from_directory(FOLDER, packed if is_packed else name, mimetype=mimetype, max_age=YEAR_S)
    response.cache_control.immutable = True
    response.vary.add("Accept-Encoding")
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    return response
