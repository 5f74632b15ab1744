"""The contract with devices as documents for programs: open to everybody, for any maker may build a device."""

from importlib.metadata import version

from flask import Blueprint, Response, jsonify

from devices.protocol import contract
from shop_hub.core.access import Role, access

blueprint = Blueprint("devices_contract", __name__, url_prefix="/api/devices")


@blueprint.get("/asyncapi.json")
@access(Role.ANONYMOUS)
def asyncapi() -> Response:
    """Answer the AsyncAPI 3.0 document."""
    return jsonify(contract.asyncapi(version("shop-hub")))


@blueprint.get("/schemas.json")
@access(Role.ANONYMOUS)
def schemas() -> Response:
    """Answer the JSON Schemas of all messages and the table of device kinds."""
    return jsonify(contract.schemas())
