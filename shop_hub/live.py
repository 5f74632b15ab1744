"""Server-sent events: open pages hear that something of their site changed and fetch the fragment anew."""

import json
import queue
from collections.abc import Iterator

from flask import Blueprint, Response, request

from shop_hub.core.access import Role, access, principal
from shop_hub.core.events import Screen, bus
from shop_hub.people import principals

PING_S = 15.0
blueprint = Blueprint("live", __name__)


@blueprint.get("/kiosk/live")
@access(Role.KIOSK)
def kiosk() -> Response:
    """Stream the events of the kiosk's site."""
    asking = principal()
    return _stream(asking.site, asking.kiosk_id, frozenset())


@blueprint.get("/office/live")
@access(Role.VOLUNTEER)
def office() -> Response:
    """Stream the events of the site that the operator works on; of the others only that a device changed."""
    operator, here = principals.current_operator(), principal().site
    others = frozenset(role.site_id for role in operator.roles) - {here} if operator is not None else frozenset()
    return _stream(here, None, others)


def _stream(site_id: int, kiosk_id: int | None, others: frozenset[int]) -> Response:
    screen = bus.join() if request.method == "GET" else None
    if screen is None:
        return Response(status=503, headers={"Retry-After": "10"})
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response = Response(_events(screen, site_id, kiosk_id, others), mimetype="text/event-stream", headers=headers)
    response.call_on_close(lambda: bus.leave(screen))
    return response


def _events(screen: Screen, site_id: int, kiosk_id: int | None, others: frozenset[int]) -> Iterator[str]:
    yield "retry: 1000\nevent: connected\ndata: {}\n\n"
    while True:
        try:
            event = screen.get(timeout=PING_S)
        except queue.Empty:
            yield ": ping\n\n"
            continue
        if event is None:
            return
        if event["site"] == site_id and event.get("kiosk") in (None, kiosk_id):
            yield f"event: {event['topic']}\ndata: {json.dumps(event)}\n\n"
        elif event["site"] in others and event["topic"] == "device":
            yield "event: elsewhere\ndata: {}\n\n"
