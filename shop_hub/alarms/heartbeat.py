"""Tells an address outside "I live", so that somebody notices when it falls silent: a dead hub rings no alarm."""

import logging
import urllib.request
from http.client import HTTPException

from sqlalchemy.orm import Session

from shop_hub.core.db import after_commit

log = logging.getLogger(__name__)

_TIMEOUT_S = 5.0


def beat(session: Session, address: str) -> None:
    """Tell it once this transaction is committed: who cannot write to the database is not well.

    A beat that does not arrive is not repeated; the next one follows.
    """
    after_commit(session, lambda: _tell(address))


def _tell(address: str) -> None:
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S):  # noqa: S310 - settings allow http and https only
            log.debug("heartbeat")
    except (OSError, HTTPException, ValueError) as error:
        log.warning("the heartbeat did not arrive", extra={"error": type(error).__name__})
