"""Python's garbage collector during a start."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def resting() -> Iterator[None]:
    """Collect nothing while a thousand modules are loaded: it would cost half a second and find little.

    What is there at the end stays for good: it is never looked at again, so that no request waits for that.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
