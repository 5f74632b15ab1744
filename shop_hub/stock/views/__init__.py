"""Pages of the backoffice about stock: what runs low, tasks, one product's stock, deliveries, suppliers."""

from importlib import import_module

from flask import Blueprint

blueprint = Blueprint("stock", __name__, url_prefix="/office/stock", template_folder="../templates")

for _name in ("deliveries", "overview", "product", "suppliers"):
    import_module(f"{__name__}.{_name}")
