"""A line to lock boards over a serial port (RS-485, RS-232, a pty); needs the extra `serial`."""

import serial


class SerialPort:
    """A serial device, 8N1, locked against other processes."""

    def __init__(self, path: str, baud: int) -> None:
        self._path, self._baud = path, baud
        self._serial: serial.Serial | None = None

    def open(self) -> None:
        """Open and lock the device; what was in its buffer is dropped."""
        self._serial = serial.Serial(self._path, self._baud, timeout=0, write_timeout=1, exclusive=True)
        self._serial.reset_input_buffer()

    def close(self) -> None:
        """Close the device."""
        opened, self._serial = self._serial, None
        if opened is not None:
            opened.close()

    def write(self, payload: bytes) -> None:
        """Send."""
        self._opened().write(payload)

    def read(self, wait_s: float) -> bytes:
        """Return what has come."""
        opened = self._opened()
        opened.timeout = wait_s
        first = opened.read(1)
        return first + opened.read(opened.in_waiting) if first else b""

    def is_clear(self) -> bool:
        """Tell whether the output buffer is empty."""
        return self._opened().out_waiting == 0

    def _opened(self) -> serial.Serial:
        if self._serial is None:
            raise ConnectionError
        return self._serial
