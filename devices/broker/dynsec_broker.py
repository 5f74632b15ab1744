"""mosquitto with the dynamic-security plugin as a child process: as in production, for tests."""

import secrets
import sys
from dataclasses import replace
from pathlib import Path

from devices.broker.accounts import Account, Role
from devices.broker.directory import BrokerError, write_secret
from devices.broker.dynsec import ADMIN, DynamicSecurity, first_file
from devices.broker.mosquitto import MosquittoBroker
from devices.broker.mosquitto_config import DYNSEC_FILE, FIRST_FILE, Layout
from devices.protocol.bus import BusConfig

MENDING = '"$0" -m json.tool "$1" /dev/null 2>/dev/null || cp "$2" "$1"; shift 2; exec "$@"'
"""The plugin of 2.0.11 writes its file in place: a power cut leaves it empty, and then nobody gets in, nor the hub."""
PLUGIN = "mosquitto_dynamic_security.so"


class DynsecBroker(MosquittoBroker):
    """mosquitto with the plugin, which keeps the accounts in its own file from its first start on."""

    admin = Account(ADMIN, secrets.token_hex(32), Role.ADMIN, ())

    @property
    def directory(self) -> DynamicSecurity:
        """The accounts of the running broker."""
        return DynamicSecurity(BusConfig(self.host, self.port, ADMIN, ADMIN, self.admin.password))

    def argv(self) -> list[str]:
        """Return the command line, which mends the plugin's file first as the service does (config/mosquitto)."""
        files = [str(self.folder / name) for name in (DYNSEC_FILE, FIRST_FILE)]
        return ["sh", "-c", MENDING, sys.executable, *files, *super().argv()]

    def layout(self) -> Layout:
        """Return where everything lies."""
        return replace(super().layout(), plugin=find_plugin())

    def _write_accounts(self) -> None:
        write_secret(self.folder / FIRST_FILE, first_file(self._accounts or (), self.admin))

    def _reload(self) -> None:
        """Do nothing: it knows at once."""


def find_plugin() -> Path:
    """Return the path of the plugin, where Linux distributions put it.

    Raises:
        BrokerError: it is not there.
    """
    for pattern in (f"lib/*/{PLUGIN}", f"lib*/{PLUGIN}", f"local/lib*/{PLUGIN}"):
        for found in sorted(Path("/usr").glob(pattern)):
            return found
    raise BrokerError(f"{PLUGIN} is not installed: it comes with mosquitto 2")
