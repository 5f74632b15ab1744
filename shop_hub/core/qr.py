"""QR codes: as inline SVG for screens, so that no second request and no script is needed, and as PNG for mails."""

import io

from markupsafe import Markup
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.pure import PyPNGImage
from qrcode.main import QRCode

QUIET_ZONE = 4
SVG = Markup(
    '<svg class="qr" role="img" aria-label="{}" viewBox="0 0 {} {}" shape-rendering="crispEdges"><path d="{}"/></svg>'
)


def svg(text: str, *, label: str) -> Markup:
    """Return an inline SVG of `text`, error correction M, quiet zone of 4 modules; the style sheet sets its size.

    Args:
        label: what the code is for, read out by screen readers.
    """
    rows = _code(text).get_matrix()
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark)
    return SVG.format(label, len(rows), len(rows), path)


def png(text: str) -> bytes:
    """Return a PNG of `text`, black on white."""
    buffer = io.BytesIO()
    _code(text).make_image(image_factory=PyPNGImage).save(buffer)
    return buffer.getvalue()


def _code(text: str) -> QRCode[PyPNGImage]:
    code: QRCode[PyPNGImage] = QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_ZONE)
    code.add_data(text)
    code.make(fit=True)
    return code
