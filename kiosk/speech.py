"""Reading aloud: espeak-ng on the hub speaks a view's text, the page plays it (kiosk.md 3.5)."""

import hashlib
import subprocess

from flask import Response, request, url_for
from flask import session as visit
from flask.typing import ResponseReturnValue
from flask_babel import get_locale

from kiosk.blueprint import blueprint
from shop_hub.core.access import Role, access
from shop_hub.core.errors import N_, BadInputError, NotFoundError, ShopError

LONGEST = 4000
WORDS_PER_MINUTE = "130"
LIMIT_S = 20


class SpeechError(ShopError):
    """The speech program is missing or failed."""

    code = "speech-unavailable"
    status = 503
    message = N_("Reading aloud does not work just now.")


@blueprint.post("/speech")
@access(Role.ANONYMOUS)
def speak() -> ResponseReturnValue:
    """Take the text to be read and return the address of its sound.

    The text stays in the visit, so that it is forgotten with it: a parcel view is personal.
    """
    text = " ".join(request.form.get("text", "").split())
    if not 1 <= len(text) <= LONGEST:
        raise BadInputError(field="text")
    visit["speech"] = text
    return {"url": url_for("kiosk.speech_sound", v=hashlib.sha256(text.encode()).hexdigest()[:16])}


@blueprint.get("/speech.wav")
@access(Role.ANONYMOUS)
def speech_sound() -> ResponseReturnValue:
    """Speak the visit's text in the visit's language."""
    text = visit.get("speech")
    if not text:
        raise NotFoundError(what="text")
    return Response(_synthesise(text, str(get_locale()).split("_")[0]), mimetype="audio/wav")


def _synthesise(text: str, voice: str) -> bytes:
    command = ["espeak-ng", "-v", voice, "-s", WORDS_PER_MINUTE, "--stdin", "--stdout"]
    try:
        # By stdin: what people wrote never stands on a command line.
        return subprocess.run(command, input=text.encode(), timeout=LIMIT_S, check=True, capture_output=True).stdout
    except (OSError, subprocess.SubprocessError):
        raise SpeechError from None
