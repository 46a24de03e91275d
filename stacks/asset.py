"""Puts together what the function runs: handler, backend and their locked libraries.

The same sources give the same bytes. It needs pip and, the first time for a lock, its wheels;
neither Docker nor a machine like the function's.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from stacks.settings import Settings

PLATFORMS = {"arm64": "aarch64", "x86_64": "x86_64"}

# Every glibc that the runtimes' Amazon Linux 2023 (2.34) can load, newest first.
WHEEL_TAGS = ("manylinux_2_34", "manylinux_2_28", "manylinux2014")

# cryptography uses cffi's compiled backend alone, a file of its own beside the package.
UNUSED = ("*.dist-info", "bin", "cffi", "**/__pycache__", "**/*.pyi", "**/py.typed")


@dataclass(frozen=True, slots=True)
class Target:
    """The machine that the libraries must run on."""

    architecture: str
    python: str

    @classmethod
    def of(cls, settings: Settings) -> "Target":
        """Return where this deployment's function runs."""
        return cls(settings.lambda_architecture, settings.lambda_runtime.removeprefix("python"))


@dataclass(frozen=True, slots=True)
class Size:
    """The size of an asset: files, their bytes, and the bytes of the archive that is uploaded."""

    files: int
    unpacked: int
    packed: int

    def __str__(self) -> str:
        whole, archive = self.unpacked / 1e6, self.packed / 1e6
        return f"{self.files} files, {whole:.1f} MB, {archive:.1f} MB as an archive"


class CannotBundle(Exception):
    """The libraries could not be installed. The text has pip's own error."""


SOURCES = {
    "lambdas/signaling/__init__.py": "signaling/__init__.py",
    "lambdas/signaling/handler.py": "signaling/handler.py",
    "robosignal/__init__.py": "robosignal/__init__.py",
    "robosignal/protocol": "robosignal/protocol",
    "robosignal/server": "robosignal/server",
}
"""What the function runs of this project, and its place in the asset."""

LOCK = "lambdas/signaling/requirements.txt"


def assemble(root: Path, target: Target, libraries: Path, into: Path) -> Path:
    """Fill an empty directory with all that the function runs, and return it.

    `root` is a checkout. Installed libraries are cached in `libraries`, by lock and target. Raise
    CannotBundle.
    """
    installed = _find_libraries(root / LOCK, target, libraries)
    shutil.copytree(installed, into, dirs_exist_ok=True)
    for source, place in SOURCES.items():
        _copy(root / source, into / place)
    for path in into.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return into


def _copy(source: Path, to: Path) -> None:
    if source.is_file():
        to.parent.mkdir(exist_ok=True)
        shutil.copy(source, to)
        return
    # Compiled files differ from machine to machine, and another interpreter's are of no use.
    shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))


def _find_libraries(lock: Path, target: Target, libraries: Path) -> Path:
    """Return the directory of the locked libraries; install them if they are not cached."""
    what = f"{target}{WHEEL_TAGS}{UNUSED}".encode() + lock.read_bytes()
    kept = libraries / sha256(what).hexdigest()[:16]
    if kept.exists():
        return kept
    libraries.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=libraries) as directory:
        fresh = Path(directory) / "libraries"
        _install(lock, target, fresh)
        _trim(fresh)
        _put(fresh, kept)
    return kept


def _install(lock: Path, target: Target, into: Path) -> None:
    platforms = [f"--platform={tag}_{PLATFORMS[target.architecture]}" for tag in WHEEL_TAGS]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    which = ["--implementation=cp", f"--python-version={target.python}", *platforms]
    # Only what is in the lock: python-jose asks for more than the handler uses of it.
    exact = ["--no-user", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile"]
    done = subprocess.run(  # noqa: S603 - our own words
        [*command, *which, *exact, f"--target={into}", f"--requirement={lock}"],
        env=_environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotBundle(f"pip could not get the function's libraries:\n{done.stderr.strip()}")


WHERE = re.compile(
    "PIP_(.*INDEX.*|FIND_LINKS|TRUSTED_HOST|.*CERT|PROXY|RETRIES|.*TIMEOUT|CACHE_DIR|NO_CACHE_DIR"
    "|CONFIG_FILE|KEYRING_PROVIDER)"
)
"""pip's variables that say where packages are and how to reach them."""


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for pip. Only the source of packages is the builder's choice."""
    return {
        name: value
        for name, value in given.items()
        if not name.startswith("PIP_") or WHERE.fullmatch(name)
    }


def _trim(libraries: Path) -> None:
    for pattern in UNUSED:
        for path in list(libraries.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _put(fresh: Path, kept: Path) -> None:
    try:
        fresh.rename(kept)
    except OSError:
        # Another process was faster, and has put the same libraries there.
        if not kept.exists():
            raise


def measure_size(asset: Path) -> Size:
    """Return the size of an asset."""
    files = list(_files(asset))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in files:
            packed.write(path, path.relative_to(asset))
    unpacked = sum(path.stat().st_size for path in files)
    return Size(len(files), unpacked, len(archive.getvalue()))


def _files(asset: Path) -> Iterator[Path]:
    return (path for path in sorted(asset.rglob("*")) if path.is_file())
