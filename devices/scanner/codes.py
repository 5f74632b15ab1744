"""From a scanner's bytes to codes: one line per code, with or without an AIM identifier in front."""

from dataclasses import dataclass

LONGEST = 512
"""Longer codes are cut: no label or receipt of ours is longer, and nothing may fill the memory."""

_AIM = {
    "A": "code39",
    "C": "code128",
    "E": "ean",
    "I": "itf",
    "Q": "qr",
    "d": "datamatrix",
    "e": "databar",
    "z": "aztec",
}
_AIM_LENGTH = 3
_ENDS = (b"\r", b"\n", b"\x03")


@dataclass(frozen=True, slots=True)
class Code:
    """One scanned code. `symbology` is empty when the scanner does not say."""

    symbology: str
    data: str
    is_cut: bool = False


class CodeReader:
    """Collects bytes as they come and gives out whole codes."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._is_cut = False

    def feed(self, chunk: bytes) -> list[Code]:
        """Take bytes and return the codes that are complete now."""
        for end in _ENDS[1:]:
            chunk = chunk.replace(end, _ENDS[0])
        *whole, rest = chunk.split(_ENDS[0])
        codes = []
        for piece in whole:
            self._take(piece)
            if self._line.strip():
                codes.append(_decode(bytes(self._line), is_cut=self._is_cut))
            self._line.clear()
            self._is_cut = False
        self._take(rest)
        return codes

    def _take(self, piece: bytes) -> None:
        room = LONGEST + _AIM_LENGTH - len(self._line)
        self._is_cut = self._is_cut or len(piece) > room
        self._line += piece[:room]


def _decode(line: bytes, *, is_cut: bool) -> Code:
    text = line.decode("utf-8", "replace").strip(" \x02")
    symbology = ""
    if text.startswith("]") and len(text) > _AIM_LENGTH:
        symbology = _AIM.get(text[1], "other")
        text = text[_AIM_LENGTH:]
    return Code(symbology, text[:LONGEST], is_cut)
