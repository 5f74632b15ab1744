"""What a phone shows that scans a recipient's code: where it is good. The code itself never reaches the server."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from shop_hub.core.access import Role, access

blueprint = Blueprint("parcels_public", __name__, template_folder="templates")


@blueprint.get("/P")
@blueprint.get("/p")
@access(Role.ANONYMOUS)
def code_page() -> ResponseReturnValue:
    """Explain the code; it stands behind the `#` of the address, which browsers keep to themselves."""
    return render_template("parcels/code_page.html")
