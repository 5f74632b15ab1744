"""The kiosk: till, parcel counter and noticeboard in one touchscreen."""

from importlib import import_module
from pkgutil import iter_modules

from flask import Flask

from kiosk.blueprint import blueprint


def register(app: Flask) -> None:
    """Load all kiosk pages and register their blueprint."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    app.register_blueprint(blueprint)
