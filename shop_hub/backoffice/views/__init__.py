"""Pages of the backoffice that belong to no feature: sign-in, dashboard, staff, programs, kiosks, audit trail."""

from importlib import import_module

from flask import Blueprint

blueprint = Blueprint("backoffice", __name__, url_prefix="/office", template_folder="../templates")

for _name in ("accounts", "audit", "dashboard", "kiosks", "login", "operators", "programs"):
    import_module(f"{__name__}.{_name}")
