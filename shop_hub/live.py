"""Server-sent events: open pages hear that something of their site changed and fetch the fragment anew."""

import json
import queue
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response

from shop_hub.core.access import Role, access, principal
from shop_hub.core.events import bus

PING_S = 15.0
blueprint = Blueprint("live", __name__)


@blueprint.get("/kiosk/live")
@access(Role.KIOSK)
def kiosk() -> Response:
    """Stream the events of the kiosk's site."""
    asking = principal()
    return _stream(asking.site, asking.kiosk_id)


@blueprint.get("/office/live")
@access(Role.VOLUNTEER)
def office() -> Response:
    """Stream the events of the site that the operator works on."""
    return _stream(principal().site, None)


def _stream(site_id: int, kiosk_id: int | None) -> Response:
    opened = bus.listen()
    client = opened.__enter__()
    if client is None:
        opened.__exit__(None, None, None)
        return Response(status=503, headers={"Retry-After": "10"})

    def lines() -> Iterator[str]:
        try:
            yield "retry: 1000\nevent: connected\ndata: {}\n\n"
            yield from _events(client, site_id, kiosk_id)
        finally:
            opened.__exit__(None, None, None)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(lines(), mimetype="text/event-stream", headers=headers)


def _events(client: "queue.Queue[dict[str, Any] | None]", site_id: int, kiosk_id: int | None) -> Iterator[str]:
    while True:
        try:
            event = client.get(timeout=PING_S)
        except queue.Empty:
            yield ": ping\n\n"
            continue
        if event is None:
            return
        if event["site"] == site_id and event.get("kiosk") in (None, kiosk_id):
            yield f"event: {event['topic']}\ndata: {json.dumps(event)}\n\n"
