"""The API's description at `/api/openapi.json`."""

from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, jsonify

from shop_hub import features
from shop_hub.core import api
from shop_hub.core.access import Role, access

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/api/openapi.json")
@access(Role.ANONYMOUS)
def openapi() -> Response:
    """Answer the OpenAPI 3.1 document."""
    return jsonify(openapi_document())


def openapi_document() -> dict[str, Any]:
    """Return the document of all operations of all features."""
    list(features.load("api"))
    return api.document("shop_hub", version("shop-hub"))
