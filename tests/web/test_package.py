"""The npm package: what is packed, under which version, and that any JavaScript can import it."""

import json
from pathlib import Path

import pytest

from robosignal import __version__
from tests.web.test_javascript import HERE, require_node, require_package, run

ROOT = HERE.parents[1]
PACKAGE = ROOT / "web" / "robosignal"
BESIDE = {"LICENSE", "README.md", "package.json", "robosignal.d.ts"}

IMPORTS = """
const found = await import(process.argv[1]);
process.stdout.write(JSON.stringify([typeof window, typeof document, Object.keys(found).sort()]));
"""


@pytest.fixture(scope="module")
def packed() -> list[str]:
    """The files of the tarball that `npm pack` makes."""
    require_node()
    done = run("npm", "pack", "--dry-run", "--json", str(PACKAGE))
    assert done.returncode == 0, done.stderr
    (tarball,) = json.loads(done.stdout)
    return [file["path"] for file in tarball["files"]]


def test_the_sources_their_types_and_the_licence_are_packed(packed: list[str]) -> None:
    """Nothing else is, and no source is left out."""
    sources = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.js")}

    assert set(packed) == sources | BESIDE


def test_the_package_is_a_copy_of_the_folder_without_a_build() -> None:
    """Copying the folder, or installing it by its path, gives what npm installs."""
    scripts = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))

    assert scripts.keys().isdisjoint({"scripts", "dependencies", "peerDependencies"})
    assert scripts["sideEffects"] is False


def test_the_licence_is_the_projects() -> None:
    """A link would not be packed, so it is a copy."""
    assert (PACKAGE / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_npm_and_python_share_a_version() -> None:
    """The README of the package names it too."""
    package = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))

    assert package["version"] == __version__
    assert f"Version {__version__} " in (PACKAGE / "README.md").read_text(encoding="utf-8")


def test_the_declarations_are_made_of_the_sources() -> None:
    """`robosignal.d.ts` is what tsc makes of the JSDoc today; `make fmt` writes it."""
    require_node()
    require_package("rollup")
    done = run("node", "declarations.js", "--check")

    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_is_imported_where_there_is_no_window() -> None:
    """A server that renders pages imports it and does not use it."""
    require_node()
    done = run("node", "--input-type=module", "--eval", IMPORTS, str(PACKAGE / "index.js"))

    assert done.stderr == ""
    assert json.loads(done.stdout) == [
        "undefined",
        "undefined",
        [
            "Channel",
            "FRAME_BYTES",
            "Session",
            "Signal",
            "SignalingError",
            "connect",
            "driveWithKeys",
        ],
    ]


def test_no_lock_names_the_host_of_a_registry() -> None:
    """From where npm installs is set by each person's own configuration."""
    locks = [path for path in ROOT.glob("*/**/package-lock.json") if not is_installed(path)]

    assert HERE / "package-lock.json" in locks
    assert [path for path in locks if '"resolved"' in path.read_text(encoding="utf-8")] == []


def is_installed(path: Path) -> bool:
    """Tell whether a file belongs to an installed package."""
    return "node_modules" in path.parts or ".venv" in path.parts
