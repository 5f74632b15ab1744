"""Tells an address outside "I live", so that somebody notices when it falls silent: a dead hub rings no alarm."""

import logging
import threading
import urllib.request
from http.client import HTTPException

from sqlalchemy.orm import Session

from shop_hub.core.db import after_commit

log = logging.getLogger(__name__)

_TIMEOUT_S = 5.0
"""For each step; the look-up of a name has no limit at all."""


class Heart:
    """Beats in a thread of its own: a stranger's server must not hold up the jobs, among them refunds."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._beating: threading.Thread | None = None

    def beat(self, session: Session) -> None:
        """Tell it once this transaction is committed: who cannot write to the database is not well.

        A beat that does not arrive is not repeated; the next one follows.
        """
        after_commit(session, self._start)

    def _start(self) -> None:
        if self._beating is not None and self._beating.is_alive():
            log.warning("a heartbeat was left out: the last one is still under way")
            return
        self._beating = threading.Thread(target=_tell, args=(self._address,), name="heartbeat", daemon=True)
        self._beating.start()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The address is what the settings say, nothing inside this network that somebody outside points to."""

    def redirect_request(self, *_arguments: object) -> None:
        """Have the redirect count as a refusal."""


def _tell(address: str) -> None:
    """Ask for the address. Of the answer only the head is read, which `http.client` bounds."""
    try:
        with urllib.request.build_opener(_NoRedirects).open(address, timeout=_TIMEOUT_S):
            log.debug("heartbeat")
    except (OSError, HTTPException, ValueError) as error:
        log.warning("the heartbeat did not arrive", extra={"error": type(error).__name__})
