"""The command line: parse, then one service call. `shop-hub --help` lists everything."""

import json
import os
import sys
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any

import click
from pydantic import ValidationError

from shop_hub.core import settings as settings_module
from shop_hub.core.errors import OperatingError, ShopError
from shop_hub.core.settings import Settings


class _Commands(click.Group):
    """Says in a sentence what the person at the command line can mend, instead of a stack trace."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            sentence = _sentence(error)
            if not sentence:
                raise
            raise click.ClickException(sentence) from error


@click.group(cls=_Commands)
@click.option("--config", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Settings file (TOML).")
@click.version_option(package_name="shop-hub")
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Run a village's unstaffed shop."""
    if config:
        os.environ["SHOP_HUB_CONFIG"] = str(config.absolute())
    context.obj = None


def _settings() -> Settings:
    try:
        return settings_module.load()
    except (OSError, TOMLDecodeError) as error:
        raise click.ClickException(f"The settings file cannot be read: {error}") from error


@main.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default=Path("village"), show_default=True)
@click.option("--port", type=click.IntRange(1024, 65535), default=8080, show_default=True)
@click.option("--busy", is_flag=True, help="Simulated people shop, deliver, collect and write.")
@click.option("--fresh", is_flag=True, help="Start over with a new village.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write addresses and logins."
)
def demo(data: Path, port: int, *, busy: bool, fresh: bool, json_file: Path | None) -> None:
    """Start a living village on this machine."""
    from shop_hub.demo.main import run as run_demo  # noqa: PLC0415 - only this command needs it

    sys.exit(run_demo(data.absolute(), port=port, busy=busy, fresh=fresh, json_file=json_file))


@main.command()
def run() -> None:
    """Run a hub in one process: web, devices and jobs (SQLite, or a small PostgreSQL site)."""
    from shop_hub import server  # noqa: PLC0415 - keeps the other commands quick

    settings = _settings()
    _upgrade(settings)
    server.serve(settings, server.ALL_IN_ONE)


@main.command()
def serve() -> None:
    """Run web only (PostgreSQL); any number of these beside `shop-hub worker`."""
    from shop_hub import server  # noqa: PLC0415 - keeps the other commands quick

    settings = _settings()
    _refuse_sqlite(settings)
    _upgrade(settings)
    server.serve(settings, server.WEB_ONLY)


@main.command()
def worker() -> None:
    """Run devices and jobs only (PostgreSQL)."""
    from shop_hub import worker as worker_module  # noqa: PLC0415 - keeps the other commands quick

    settings = _settings()
    _refuse_sqlite(settings)
    _upgrade(settings)
    worker_module.run(settings)


@main.command()
def upgrade() -> None:
    """Bring the database to this version; a SQLite database is backed up first."""
    _upgrade(_settings())
    click.echo("The database is up to date.")


@main.command()
@click.option("--site", prompt="Name of the shop")
@click.option("--slug", prompt="Short name, a-z and - (part of every device's address)")
@click.option("--place", prompt="Village")
@click.option("--street", help="Street and number, as receipts show it.")
@click.option("--postcode", help="Postcode, as receipts show it.")
@click.option("--land", help="Two letters, e.g. BB: decides about public holidays.")
@click.option("--administrator", prompt="User name of the first administrator")
@click.password_option(help="Password of the first administrator.")
def setup(**answers: str) -> None:
    """Set a real village up: database, site and the first administrator."""
    from shop_hub import setup as setup_module  # noqa: PLC0415 - keeps the other commands quick

    settings = _settings()
    answers["street"] = answers["street"] or _ask("Street and number", "")
    answers["postcode"] = answers["postcode"] or _ask("Postcode", "")
    answers["land"] = (answers["land"] or _ask("Land (two letters, e.g. BB)", "BB")).upper()
    _upgrade(settings)
    click.echo(setup_module.set_up(settings, setup_module.NewVillage(**answers)))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
def backup(folder: Path | None) -> None:
    """Write a checked backup (SQLite) into FOLDER, by default into the data folder."""
    from shop_hub.core import backup as backup_module  # noqa: PLC0415 - keeps the other commands quick

    settings = _settings()
    secret = settings.data / "secret"
    click.echo(backup_module.backup(settings.database, secret, folder or settings.data / "backups"))


@main.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--verify", "verify_only", is_flag=True, help="Only try: restore into a throw-away folder and verify.")
def restore(file: Path, *, verify_only: bool) -> None:
    """Restore a backup and verify it; the hub must be stopped."""
    from shop_hub import recovery  # noqa: PLC0415 - keeps the other commands quick

    settings = _settings()
    deviations = recovery.try_out(settings, file) if verify_only else recovery.restore(settings, file)
    _report(deviations)


@main.command()
def verify() -> None:
    """Recompute every balance, level, parcel place, receipt number and audit chain; say what differs."""
    from shop_hub import recovery  # noqa: PLC0415 - keeps the other commands quick

    _report(recovery.verify(_settings()))


@main.command()
def doctor() -> None:
    """Check this installation and say what to mend."""
    from shop_hub import health  # noqa: PLC0415 - keeps the other commands quick

    findings = health.examine(_settings())
    for finding in findings:
        click.echo(f"{'ok  ' if finding.is_good else 'BAD '} {finding.check}: {finding.text}")
    sys.exit(0 if all(finding.is_good for finding in findings) else 1)


@main.command("reset-password")
@click.argument("user_name")
@click.password_option()
def reset_password(user_name: str, password: str) -> None:
    """Give an operator a new password and sign the person out everywhere."""
    from shop_hub import setup as setup_module  # noqa: PLC0415 - keeps the other commands quick

    setup_module.reset_password(_settings(), user_name, password)
    click.echo("The password was changed.")


@main.command()
def openapi() -> None:
    """Print the OpenAPI document of the API."""
    from shop_hub.api_views import openapi_document  # noqa: PLC0415 - keeps the other commands quick

    click.echo(json.dumps(openapi_document(), indent=1))


@main.group()
def devices() -> None:
    """Machines and how they speak with the hub."""


@devices.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--broker", type=click.Choice(["mosquitto", "nats"]), default="mosquitto", show_default=True)
@click.option(
    "--name", "names", multiple=True, help="Host name or address of the broker: TLS with an authority of yours."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=1883, show_default=True, help="For the same machine only."
)
@click.option("--tls-port", type=click.IntRange(1, 65535), default=8883, show_default=True, help="For devices.")
@click.option(
    "--files", "files_only", is_flag=True, help="mosquitto without its plugin: all accounts in files, as of now."
)
@click.option("--place", type=click.Path(path_type=Path), help="Where the files will lie on the broker's machine.")
@click.option("--store", type=click.Path(path_type=Path), help="Where the broker keeps messages.")
@click.option(
    "--bridge",
    "bridges",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File from the hub of a region: what the devices tell is passed on there too.",
)
def provision(folder: Path, *, files_only: bool, **options: Any) -> None:
    """Write configuration, certificates and accounts of a broker into FOLDER."""
    from shop_hub.fleet import handover  # noqa: PLC0415 - keeps the other commands quick

    settings = _settings()
    _upgrade(settings)
    click.echo(handover.provision(settings, folder.absolute(), handover.Plan(live=not files_only, **options)))


@devices.command("add")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--keys", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the keys.")
@click.option("--site", default="", help="Short name of the shop, where there are several.")
def add_devices(file: Path, keys: Path, site: str) -> None:
    """Enter the machines of FILE, see config/machines.toml; what is there already is left alone."""
    from shop_hub import machines  # noqa: PLC0415 - keeps the other commands quick

    settings = _settings()
    _upgrade(settings)
    click.echo("\n".join(machines.enter(settings, file, keys.absolute(), site=site)))


@devices.command("list")
def list_devices() -> None:
    """List the devices of all shops."""
    from shop_hub.fleet import desk  # noqa: PLC0415 - keeps the other commands quick

    with desk.opened(_settings()) as found:
        click.echo("\n".join(found.lines()) or "None yet.")


@devices.command("code")
@click.argument("name")
def device_code(name: str) -> None:
    """Print a one-time code by which the machine NAME gets its keys."""
    from shop_hub.fleet import desk  # noqa: PLC0415 - keeps the other commands quick

    with desk.opened(_settings()) as found:
        code = found.code(name)
    click.echo(f"At the machine: python -m devices.agent pair {code} --hub ADDRESS\nIt works once, for 30 minutes.")


@devices.command("renew-keys")
@click.argument("name")
@click.option("--reason", required=True, help="Why; it stands in the audit trail.")
def renew_device_keys(name: str, reason: str) -> None:
    """Print new keys of NAME; the old ones are worthless."""
    from shop_hub.fleet import desk  # noqa: PLC0415 - keeps the other commands quick

    with desk.opened(_settings()) as found:
        lines = found.renew(name, reason)
    click.echo("\n".join([*lines, desk.SOON]))


@devices.command("revoke")
@click.argument("name")
@click.option("--reason", required=True, help="Why; it stands in the audit trail.")
def revoke_device(name: str, reason: str) -> None:
    """Take NAME out of service and cut its connection."""
    from shop_hub.fleet import desk  # noqa: PLC0415 - keeps the other commands quick

    with desk.opened(_settings()) as found:
        found.revoke(name, reason)
    click.echo(f"{name} is out of service. {desk.SOON}")


@devices.command()
@click.option("--schemas", is_flag=True, help="Only the JSON Schemas of the messages.")
def contract(*, schemas: bool) -> None:
    """Print the contract for makers of devices as an AsyncAPI 3.0 document."""
    from importlib.metadata import version  # noqa: PLC0415 - keeps the other commands quick

    from devices.protocol import contract as documents  # noqa: PLC0415 - as above

    click.echo(json.dumps(documents.schemas() if schemas else documents.asyncapi(version("shop-hub")), indent=1))


def _ask(question: str, default: str) -> str:
    """Ask where a person sits at the keyboard; a script gets the default."""
    return str(click.prompt(question, default=default)) if sys.stdin.isatty() else default


def _sentence(error: Exception) -> str:
    """Return what to tell the person, or nothing if it is a fault of this program."""
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - keeps the other commands quick

    text = ""
    match error:
        case OperatingError():
            text = str(error)
        case ShopError():
            text = error.message % error.params
        case ValidationError():
            wrong = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
            text = f"The {error.title.lower()} are wrong. {'; '.join(wrong)}"
        case TOMLDecodeError():
            text = f"The file is not written correctly: {error}"
        case DBAPIError():
            text = f"The database cannot be used: {error.orig}\n`shop-hub doctor` says more."
        case ModuleNotFoundError(name="psycopg"):
            text = 'PostgreSQL needs one more package: pip install "shop-hub[postgresql]"'
    return text


def _upgrade(settings: Settings) -> None:
    from shop_hub.core import revision  # noqa: PLC0415 - keeps the other commands quick

    if not revision.is_newest(settings.database):
        from shop_hub import recovery  # noqa: PLC0415 - as above

        recovery.upgrade(settings)


def _refuse_sqlite(settings: Settings) -> None:
    if settings.database.startswith("sqlite"):
        raise click.ClickException("On SQLite all work is one process: use `shop-hub run`.")


def _report(deviations: list[str]) -> None:
    for deviation in deviations:
        click.echo(deviation)
    if deviations:
        sys.exit(1)
    click.echo("Everything adds up.")


if __name__ == "__main__":
    main()
