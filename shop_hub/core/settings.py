"""Settings: defaults here, then a TOML file, then environment variables.

`config/default.toml` is the manual: it shows every setting with its default, unit and meaning; a test keeps it
complete. The file is named by `SHOP_HUB_CONFIG`; a variable such as `SHOP_HUB__HTTP__PORT=8080` overrides one value.
"""

import os
import secrets
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Unknown names are refused: a typo must not silently keep a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Http(Section):
    """The web server."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    threads: int = Field(default=48, ge=4, le=500)
    public_url: str = ""
    trusted_proxies: int = Field(default=0, ge=0, le=1)
    secure_cookies: bool = False
    largest_body_bytes: int = Field(default=1_000_000, ge=10_000)


class Mqtt(Section):
    """The message broker, as the hub reaches it."""

    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    user: str = "hub"
    password: str = ""
    tls: bool = False
    ca_file: str = ""
    devices_host: str = ""
    devices_port: int = Field(default=0, ge=0, le=65535)
    accounts: Literal["", "nats", "dynamic-security"] = ""
    accounts_folder: str = ""
    more_hosts: tuple[str, ...] = ()
    collects: bool = False

    @property
    def more_addresses(self) -> tuple[tuple[str, int], ...]:
        """Return host and port of the other nodes; without a port of their own they have that of the first."""
        found = (host.partition(":") for host in self.more_hosts)
        return tuple((name, int(port or self.port)) for name, _, port in found)


class HomeAssistant(Section):
    """What a home automation is told by MQTT, and whether it may wish for something."""

    discovery: Literal["off", "on", "withdrawn"] = "off"
    wishes: bool = False


class Mail(Section):
    """Mail to villagers. Either an SMTP server, or a folder into which mails are written."""

    sender: str = "dorfladen@localhost"
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_user: str = ""
    smtp_password: str = ""
    smtp_starttls: bool = True
    folder: str = ""


class Alarms(Section):
    """What notices that the hub itself is dead."""

    heartbeat_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    heartbeat_minutes: int = Field(default=5, ge=1, le=60)


class Kiosk(Section):
    """The touchscreen."""

    width_mm: int = Field(default=268, ge=100, le=2000)
    css_width: int = Field(default=1080, ge=320, le=8000)
    distance_mm: int = Field(default=600, ge=300, le=2000)
    idle_reading_s: int = Field(default=90, ge=20)
    idle_form_s: int = Field(default=120, ge=20)
    idle_private_s: int = Field(default=45, ge=20)
    idle_warning_s: int = Field(default=30, ge=20)
    rest_after_s: int = Field(default=180, ge=0)
    rest_slide_s: int = Field(default=12, ge=10)
    night_from: int = Field(default=22, ge=0, le=23)
    night_to: int = Field(default=6, ge=0, le=23)
    reach: Literal["fit", "low"] = "fit"
    auto_pair_loopback: bool = False


class Shop(Section):
    """Selling."""

    quote_valid_s: int = Field(default=600, ge=60)
    undo_s: int = Field(default=300, ge=0)
    pin_free_cents: int = Field(default=0, ge=0)
    largest_basket_cents: int = Field(default=100_000, ge=1_000)


class Parcels(Section):
    """The parcel station."""

    pickup_days: int = Field(default=7, ge=1)
    personal_data_days: int = Field(default=7, ge=0, le=14)
    reopen_grace_s: int = Field(default=180, ge=30)
    door_left_open_s: int = Field(default=60, ge=10)
    station_qr_s: int = Field(default=60, ge=30)
    courier_idle_s: int = Field(default=90, ge=30)


class Sessions(Section):
    """Sign-in of people in the backoffice."""

    idle_s: int = Field(default=1800, ge=60)
    absolute_s: int = Field(default=43_200, ge=600)
    api_token_days: int = Field(default=365, ge=1)


class Demo(Section):
    """Only in the demo: what there is instead of real machines."""

    simulators_port: int = Field(default=0, ge=0, le=65535)


class Settings(Section):
    """All settings of one hub."""

    data: Path = Path("village")
    database_url: str = Field(default="", pattern=r"^(sqlite:///.+|postgresql\+psycopg://.+)?$")
    production: bool = True
    log_level: str = "INFO"
    languages: tuple[str, ...] = ("de", "en")
    http: Http = Http()
    mqtt: Mqtt = Mqtt()
    home_assistant: HomeAssistant = HomeAssistant()
    mail: Mail = Mail()
    alarms: Alarms = Alarms()
    kiosk: Kiosk = Kiosk()
    shop: Shop = Shop()
    parcels: Parcels = Parcels()
    sessions: Sessions = Sessions()
    demo: Demo = Demo()

    @property
    def database(self) -> str:
        """Return the database address: the one set, or a SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data.absolute() / 'hub.sqlite3'}"

    def secret(self) -> bytes:
        """Return the hub's master secret; made at first use, readable by its owner only, kept outside the database."""
        path = self.data / "secret"
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return bytes.fromhex(path.read_text())
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        return bytes.fromhex(path.read_text())


def load(path: Path | None = None, environment: dict[str, str] | None = None) -> Settings:
    """Read settings.

    Args:
        path: TOML file; default is the one named by SHOP_HUB_CONFIG, or none.
        environment: default is the process's.

    Raises:
        pydantic.ValidationError: an unknown name or a value out of range.
    """
    environment = dict(os.environ) if environment is None else environment
    if path is None and environment.get("SHOP_HUB_CONFIG"):
        path = Path(environment["SHOP_HUB_CONFIG"])
    values: dict[str, Any] = tomllib.loads(path.read_text()) if path else {}
    for name, value in environment.items():
        if name.startswith("SHOP_HUB__"):
            _put(values, name.removeprefix("SHOP_HUB__").lower().split("__"), value)
    return Settings.model_validate(values)


def _put(values: dict[str, Any], keys: list[str], value: str) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
    values[keys[-1]] = value
