"""Starts the web server: granian, or waitress where granian has no wheel (32-bit ARM)."""

import os
import sys
from importlib.util import find_spec
from typing import NoReturn

from shop_hub.core.settings import Settings

ALL_IN_ONE = "shop_hub.wsgi:app"
WEB_ONLY = "shop_hub.web_only:app"
LARGE_BLOCKS = ("MALLOC_MMAP_THRESHOLD_", "131072")
"""glibc gives blocks of this size back to the system once they are free. Left alone it learns from the first password
hash (19 MiB) to keep all up to that size: 20 MiB of the hub, from the first printed slip on."""


def serve(settings: Settings, target: str) -> NoReturn:
    """Become the web server process; the application is loaded inside its worker.

    One worker process: on SQLite all writes pass one lock, and the device client must exist once.
    """
    http = settings.http
    os.environ.setdefault(*LARGE_BLOCKS)
    if find_spec("granian"):
        arguments = ["granian", "--interface", "wsgi", "--workers", "1", "--blocking-threads", str(http.threads)]
        arguments += ["--host", http.host, "--port", str(http.port), "--respawn-failed-workers"]
        arguments += ["--no-ws", "--log-level", "warning", "--workers-kill-timeout", "3", target]
    else:
        arguments = ["waitress", "--threads", str(http.threads), "--connection-limit", "500"]
        arguments += ["--listen", f"{http.host}:{http.port}", target]
    os.execv(sys.executable, [sys.executable, "-m", *arguments])  # noqa: S606 - no shell, our own arguments
