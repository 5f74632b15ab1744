import io
import re

import zxingcpp
from PIL import Image, ImageDraw

from shop_hub.core import qr

TEXT = "HTTPS://SHOP.EXAMPLE/P#D1PABCDEFGHIJKLMNOPQRSTUVWXYZ2"


def test_a_png_reads_back() -> None:
    image = Image.open(io.BytesIO(qr.png(TEXT))).convert("L")
    assert [code.text for code in zxingcpp.read_barcodes(image)] == [TEXT]


def test_an_svg_reads_back_and_its_label_is_escaped() -> None:
    svg = str(qr.svg(TEXT, label='"<b>'))
    assert 'aria-label="&#34;&lt;b&gt;"' in svg
    side = int(re.search(r'viewBox="0 0 (\d+)', svg)[1])
    image = Image.new("L", (side * 4, side * 4), 255)
    for x, y in re.findall(r"M(\d+) (\d+)h", svg):
        left, top = int(x) * 4, int(y) * 4
        ImageDraw.Draw(image).rectangle((left, top, left + 3, top + 3), fill=0)
    assert [code.text for code in zxingcpp.read_barcodes(image)] == [TEXT]
