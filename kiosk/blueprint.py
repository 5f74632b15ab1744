"""The kiosk's blueprint: till, parcel counter and noticeboard in one touchscreen."""

from flask import Blueprint

blueprint = Blueprint("kiosk", __name__, url_prefix="/kiosk", template_folder="templates")
