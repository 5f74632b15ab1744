"""What a phone's camera sees: chromium plays a film of ours instead of a camera (stack.md 4).

The film's name is fixed when chromium starts. Chromium opens the file anew whenever a page turns the camera on, so a
test changes what lies before the lens by writing it again.
"""

import io
from pathlib import Path

import zxingcpp
from PIL import Image, ImageFilter

SIZE = (640, 480)
PAPER, TABLE = 250, 120
LOOKS = ((0, 0.0), (4, 0.6), (-7, 0.0), (12, 0.8))
"""How the code is held from frame to frame: degrees turned, blur in pixels."""


def flags(film: Path) -> list[str]:
    """Return chromium's flags for a camera that shows `film` and is allowed without asking."""
    return [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]


def show(film: Path, text: str, *, is_label: bool = False) -> None:
    """Put a QR code before the lens, or the Code 128 of a parcel's label."""
    _write(film, _picture(text, zxingcpp.BarcodeFormat.Code128 if is_label else zxingcpp.BarcodeFormat.QRCode))


def show_nothing(film: Path) -> None:
    """Put an empty table before the lens."""
    _write(film, Image.new("L", (1, 1), TABLE))


def _picture(text: str, kind: zxingcpp.BarcodeFormat) -> Image.Image:
    drawn = Image.fromarray(zxingcpp.create_barcode(text, kind).to_image(scale=1))
    is_square = drawn.width == drawn.height
    across = 300 if is_square else 560
    drawn = drawn.resize((across, across if is_square else 150), Image.Resampling.NEAREST)
    sheet = Image.new("L", (across + 60, drawn.height + 60), PAPER)
    sheet.paste(drawn, (30, 30))
    return sheet


def _write(film: Path, sheet: Image.Image) -> None:
    """Write motion JPEG: pictures one after another. The file keeps its name while chromium may still have it open."""
    frames = []
    for angle, blur in LOOKS:
        turned = sheet.rotate(angle if sheet.width < SIZE[0] * 0.7 else angle / 6, expand=True, fillcolor=TABLE)
        frame = Image.new("L", SIZE, TABLE)
        frame.paste(turned, ((SIZE[0] - turned.width) // 2, (SIZE[1] - turned.height) // 2))
        buffer = io.BytesIO()
        frame.filter(ImageFilter.GaussianBlur(blur)).convert("RGB").save(buffer, "JPEG", quality=88)
        frames.append(buffer.getvalue())
    fresh = film.with_suffix(".new")
    fresh.write_bytes(b"".join(frames * 3))
    fresh.replace(film)
