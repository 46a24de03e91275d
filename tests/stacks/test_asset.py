"""What the function's code holds, and that it is the same every time."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from stacks.asset import LOCK, SOURCES, CannotBundle, Size, Target, assemble, measure_size
from tests.stacks.emulator import HOST_MACHINE, HOST_PYTHON
from tests.stacks.synthesis import ROOT

LAMBDA = Target("arm64", "3.14")
HERE = Target(HOST_MACHINE, HOST_PYTHON.removeprefix("python"))
LIBRARIES = ROOT / "build" / "lambda-libraries"

PROBE = """
import json, sys
sys.path[:0] = [sys.argv[1]]
import jose.jwk, msgspec, cryptography
from robosignal.server.identity.tokens import verify
from robosignal.server.core import dispatch
modulus = "gA" + "A" * 339 + "Q"
key = jose.jwk.construct({"kty": "RSA", "n": modulus, "e": "AQAB"}, "RS256")
print(json.dumps([key.verify(b"a", b"b"), jose.__file__, msgspec.__file__, cryptography.__file__]))
"""


def digest(asset: Path) -> str:
    """Return a digest of every file's place and content."""
    files = sorted(path for path in asset.rglob("*") if path.is_file())
    listed = [(str(path.relative_to(asset)), path.read_bytes()) for path in files]
    return sha256(repr(listed).encode()).hexdigest()


@pytest.fixture(scope="module")
def asset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the function runs on Lambda."""
    return assemble(ROOT, LAMBDA, LIBRARIES, tmp_path_factory.mktemp("asset"))


def test_the_same_sources_make_the_same_bytes(asset: Path, tmp_path: Path) -> None:
    """Installed again, in another place, by another run of pip."""
    again = assemble(ROOT, LAMBDA, tmp_path / "libraries", tmp_path / "asset")

    assert digest(again) == digest(asset)


def test_the_asset_holds_what_the_handler_needs_and_nothing_else(asset: Path) -> None:
    """The package, its locked libraries' code, and not what only other machines use."""
    tops = {path.name.partition(".")[0] for path in asset.iterdir()}
    kinds = {path.suffix for path in asset.rglob("*") if path.is_file()}

    assert tops == {"signaling", "robosignal", "msgspec", "jose", "cryptography", "_cffi_backend"}
    assert kinds == {".py", ".so"}


def test_the_libraries_are_for_the_functions_machine(asset: Path) -> None:
    """Every compiled file is for arm64: ELF's machine 183, at byte 18."""
    machines = {path.read_bytes()[18:20] for path in asset.rglob("*.so")}

    assert machines == {(183).to_bytes(2, "little")}


def test_the_asset_is_all_that_the_handler_needs_besides_boto3(tmp_path: Path) -> None:
    """With nothing but itself and Python, it judges a signature and knows the rules."""
    asset = assemble(ROOT, HERE, LIBRARIES, tmp_path)

    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROBE, asset],
        capture_output=True,
        text=True,
        check=True,
    )

    judged, *modules = json.loads(ran.stdout)
    assert judged is False
    assert all(module.startswith(str(asset)) for module in modules)


def test_its_size_stays_small(asset: Path, record_property: Callable[[str, object], None]) -> None:
    """Lambda unpacks it at each cold start, so growth is worth a thought: 8 MB at most."""
    found = measure_size(asset)
    record_property("function's code", str(found))

    assert found.packed < 8_000_000
    assert found.files < 250


def test_a_size_is_told_in_one_line() -> None:
    """Files, then megabytes before and after packing."""
    assert str(Size(3, 15_540_000, 5_060_000)) == "3 files, 15.5 MB, 5.1 MB as an archive"


def test_everybody_may_read_the_files(asset: Path) -> None:
    """Lambda runs as a user of its own, whatever the umask here was."""
    modes = {path.stat().st_mode & 0o777 for path in asset.rglob("*")}

    assert modes == {0o755, 0o644}


@pytest.mark.parametrize(
    "variables",
    [
        {"PIP_USER": "1"},
        {
            "PIP_PREFIX": "/nowhere",
            "PIP_TARGET": "/nowhere",
            "PIP_NO_BINARY": ":all:",
            "PIP_PLATFORM": "win32",
            "PIP_REQUIREMENT": "/nowhere/requirements.txt",
            "PIP_DRY_RUN": "1",
        },
        {"PIP_CONFIG_FILE": "pip.conf"},
    ],
)
def test_the_builders_own_wishes_for_pip_change_nothing(
    variables: dict[str, str], asset: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are for the builder's machine. Only from where pip installs is theirs to say."""
    (tmp_path / "pip.conf").write_text("[install]\nuser = true\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("pip.conf", str(tmp_path / "pip.conf")))

    again = assemble(ROOT, LAMBDA, tmp_path / "libraries", tmp_path / "asset")

    assert digest(again) == digest(asset)


def test_a_lock_that_pip_refuses_is_explained(tmp_path: Path) -> None:
    """A package without its hash is refused, in pip's own words."""
    lock = tmp_path / LOCK
    lock.parent.mkdir(parents=True)
    lock.write_text("msgspec==0.22.0\n")

    with pytest.raises(CannotBundle, match="hash"):
        assemble(tmp_path, LAMBDA, tmp_path / "libraries", tmp_path / "asset")


def test_compiled_files_of_this_machine_stay_here(tmp_path: Path) -> None:
    """They differ from machine to machine, and would change the digest."""
    root = tmp_path / "root"
    for source in (*SOURCES, LOCK):
        (root / source).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            (root / source / "__pycache__").mkdir(parents=True)
            (root / source / "__pycache__" / "x.pyc").write_bytes(os.urandom(8))
        else:
            (root / source).write_bytes((ROOT / source).read_bytes())

    asset = assemble(root, LAMBDA, LIBRARIES, tmp_path / "asset")

    assert list(asset.rglob("*.pyc")) == []
