"""Pages of the backoffice about people: villagers with cards and accounts, carriers with couriers."""

from importlib import import_module

from flask import Blueprint

blueprint = Blueprint("people", __name__, url_prefix="/office/people", template_folder="../templates")

for _name in ("cards", "couriers", "people", "privacy"):
    import_module(f"{__name__}.{_name}")
