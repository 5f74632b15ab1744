"""Binds a serial scanner to the protocol: each code becomes a `scanned` event for its kiosk."""

import logging
import threading
from typing import ClassVar

from devices.agent.agent import Agent
from devices.agent.device import Device
from devices.protocol.description import NodeDescription
from devices.scanner.codes import Code, CodeReader
from devices.scanner.driver import ScannerStream

log = logging.getLogger(__name__)

NODE = "scanner"
_RETRY_S = 2.0


class ScannerDevice(Device):
    """Takes no commands. A code scanned while there is no connection is dropped: nobody is served by it later."""

    kind: ClassVar[str] = "scanner"
    actuates: ClassVar[bool] = False

    def __init__(self, stream: ScannerStream) -> None:
        self._stream = stream
        self._ended = threading.Event()

    def describe(self) -> dict[str, NodeDescription]:
        """Return the one node; it has no properties."""
        return {NODE: NodeDescription(name=NODE, type="scanner")}

    def start(self, agent: Agent) -> None:
        """Read for ever in a thread of its own."""
        self._agent = agent
        self._thread = threading.Thread(target=self._listen, name="scanner", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a waiting read ends within a second."""
        self._ended.set()
        self._thread.join(timeout=5)

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                self._stream.open()
                self._agent.alert("scanner", "")
                self._read_all()
            except OSError as error:
                log.info("scanner: %s", error)
                self._agent.alert("scanner", "not connected")
            finally:
                self._stream.close()
            self._ended.wait(_RETRY_S)

    def _read_all(self) -> None:
        reader = CodeReader()
        while not self._ended.is_set():
            for code in reader.feed(self._stream.read()):
                self._tell(code)

    def _tell(self, code: Code) -> None:
        if not self._agent.connected:
            return
        if code.is_cut:
            self._agent.event(NODE, "scanned", symbology=code.symbology, data=code.data, cut=True)
        else:
            self._agent.event(NODE, "scanned", symbology=code.symbology, data=code.data)
