"""QR codes as SVG: inline for screens, so that no second request and no script is needed."""

import io
import re

from markupsafe import Markup
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.svg import SvgPathImage
from qrcode.main import QRCode, make


def svg(text: str, *, label: str) -> Markup:
    """Return an inline SVG of `text`, error correction M, quiet zone of 4 modules.

    Args:
        label: what the code is for, read out by screen readers.
    """
    code = QRCode(error_correction=ERROR_CORRECT_M, border=4, image_factory=SvgPathImage)
    code.add_data(text)
    code.make(fit=True)
    buffer = io.BytesIO()
    code.make_image().save(buffer)
    drawing = buffer.getvalue().decode().partition("<svg ")[2]
    drawing = re.sub(r'^width="[^"]*" height="[^"]*" ', "", drawing)  # the style sheet decides about the size
    return Markup('<svg class="qr" role="img" aria-label="{}" ').format(label) + Markup(drawing)  # noqa: S704 - ours


def png(text: str) -> bytes:
    """Return a PNG of `text` for mails and printers."""
    buffer = io.BytesIO()
    make(text, error_correction=ERROR_CORRECT_M).save(buffer)
    return buffer.getvalue()
