"""What an entrance-door driver must offer."""

from typing import Protocol


class DoorListener(Protocol):
    """What a door tells by itself."""

    def moved(self, *, is_open: bool) -> None:
        """The leaf moved (contact)."""

    def passed(self, *, inwards: bool) -> None:
        """Someone went through (counting sensor)."""

    def exit_used(self) -> None:
        """The handle or button inside was used: leaving is mechanical and always free."""


class ShopDoor(Protocol):
    """A door with an electric opener. From inside it always opens, without power too."""

    def watch(self, listener: DoorListener) -> None:
        """Tell the listener from now on, beginning with the present state of the leaf."""

    def release(self, hold_s: int) -> None:
        """Let people in for `hold_s` seconds; the opener times this itself.

        Raises:
            NoAnswerError: it may be released or not.
        """

    def set_free(self, *, free: bool) -> None:
        """Hold the opener released (`free`) or not.

        Raises:
            NoAnswerError: the opener did not answer.
        """
