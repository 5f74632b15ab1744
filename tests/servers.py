"""Real servers for tests: PostgreSQL of the system, started on a free port as an unprivileged user."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MUST_NOT_SKIP = os.environ.get("CI") == "true"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgresql_folder() -> Path | None:
    """Return the folder of the newest installed PostgreSQL server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if found:
        return found[-1].parent
    command = shutil.which("initdb")
    return Path(command).parent if command else None


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Yield the address of a fresh server, without database name; it lives for one test run and need not be durable."""
    folder = postgresql_folder()
    assert folder is not None, "PostgreSQL is not installed"
    data = Path(tempfile.mkdtemp(prefix="shop-hub-pg-"))
    user = _unprivileged_user()
    if user:
        shutil.chown(data, user, pwd.getpwnam(user).pw_gid)
    port = free_port()
    run = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "cwd": data, "user": user}
    subprocess.run(
        [folder / "initdb", "-D", data / "db", "-U", "test", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"],
        **run,
    )
    settings = [f"{name}=off" for name in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum", "jit")]
    settings += ["listen_addresses=127.0.0.1", "max_connections=200"]
    options = " ".join([f"-p {port} -k {data}", *(f"-c {setting}" for setting in settings)])
    subprocess.run([folder / "pg_ctl", "-D", data / "db", "-w", "-l", data / "log", "-o", options, "start"], **run)
    try:
        yield f"postgresql+psycopg://test@127.0.0.1:{port}"
    finally:
        subprocess.run([folder / "pg_ctl", "-D", data / "db", "-m", "immediate", "stop"], **{**run, "check": False})
        shutil.rmtree(data, ignore_errors=True)


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
