"""Which version of this program a device runs."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return f"shop-hub {version('shop-hub')}"
    except PackageNotFoundError:  # run from a copied folder
        return ""


FIRMWARE = _installed()
"""For `$description`."""
