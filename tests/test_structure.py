"""Which part may know which: imports point inward, and what is listed twice agrees."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from inspect import getsource
from pathlib import Path
from textwrap import dedent
from typing import Any, get_args

import pytest

from robosignal.protocol.errors import SignalingError
from robosignal.protocol.frames import Frame
from robosignal.protocol.messages import ALIASES, MESSAGES, AnyMessage
from robosignal.server.core import dispatch
from robosignal.server.core.authorization import PERMISSIONS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "robosignal"
HANDLER = ROOT / "lambdas" / "signaling" / "handler.py"

PURE = {
    "contextlib",
    "base64",
    "collections.abc",
    "dataclasses",
    "enum",
    "hashlib",
    "msgspec",
    "operator",
    "re",
    "typing",
}
"""What the rules may use of others: no clock, environment, randomness, log, thread or socket."""


IN_ASSET = ("robosignal.protocol", "robosignal.server")


def modules(*parts: str) -> list[Path]:
    """Return the modules of a package, those of its packages included."""
    return sorted(PACKAGE.joinpath(*parts).rglob("*.py"))


def imported(module: Path) -> Iterator[str]:
    """Yield the name of every module that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            yield node.module or ""


def named(path: Path) -> str:
    """Return a module's path for a test's id."""
    return str(path.relative_to(ROOT))


def strangers(module: Path, *friends: str) -> list[str]:
    """Return what a module imports besides these packages and what is pure."""
    return [
        name
        for name in imported(module)
        if name not in PURE and not f"{name}.".startswith(tuple(f"{one}." for one in friends))
    ]


@pytest.mark.parametrize("module", modules("protocol"), ids=named)
def test_the_protocol_knows_only_itself(module: Path) -> None:
    """Robot, probe and documents import it without the rules."""
    assert strangers(module, "robosignal.protocol") == []


@pytest.mark.parametrize("module", modules("server", "core"), ids=named)
def test_the_rules_know_only_the_protocol(module: Path) -> None:
    """Neither an adapter nor the world: every rule can be tested with plain values."""
    assert strangers(module, "robosignal.protocol", "robosignal.server.core") == []


@pytest.mark.parametrize(
    "module", [PACKAGE / "server" / "ports.py", PACKAGE / "server" / "executor.py"], ids=named
)
def test_ports_and_executor_know_no_adapter(module: Path) -> None:
    """They say what is needed, never by whom it is done."""
    friends = (
        "robosignal.protocol",
        "robosignal.server.core",
        "robosignal.server.ports",
        "robosignal.server.deadline",
    )

    assert strangers(module, *friends, "logging", "functools") == []


@pytest.mark.parametrize("module", [*modules("server"), HANDLER], ids=named)
def test_the_lambda_knows_only_what_its_asset_holds(module: Path) -> None:
    """Protocol and server: neither the local gateway nor a client."""
    ours = [name for name in imported(module) if name.startswith(("robosignal", "tests"))]

    assert [name for name in ours if not name.startswith(IN_ASSET)] == []


@pytest.mark.parametrize("module", modules(), ids=named)
def test_only_the_aws_package_knows_aws(module: Path) -> None:
    """Everything else runs where no boto3 is installed."""
    allowed = named(module).startswith("robosignal/server/aws/")
    aws = [name for name in imported(module) if name.startswith(("boto", "mypy_boto3"))]

    assert allowed or aws == []


PUBLIC_PACKAGES = {PACKAGE, PACKAGE / "operator", PACKAGE / "robot", PACKAGE / "testing"}
"""Those that users import names from."""


@pytest.mark.parametrize(
    "package",
    [each for each in sorted(PACKAGE.rglob("__init__.py")) if each.parent not in PUBLIC_PACKAGES],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_packages_are_empty(package: Path) -> None:
    """To import one module imports no other."""
    assert package.read_text() == ""


def test_the_package_itself_imports_nothing() -> None:
    """It tells its version, and the Lambda imports it at each cold start."""
    assert list(imported(PACKAGE / "__init__.py")) == []


def loaded_by(module: str) -> set[str]:
    """Return the top-level names of all modules that importing one module loads."""
    code = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(done.stdout.split())


def test_the_rules_load_nothing_heavy() -> None:
    """Neither AWS nor tokens, and nothing that could wait."""
    loaded = loaded_by("robosignal.server.core.dispatch")

    heavy = {"asyncio", "boto3", "botocore", "cryptography", "jose", "logging", "socket", "ssl"}
    assert loaded & heavy == set()
    assert "msgspec" in loaded


def test_the_entry_loads_no_token_library() -> None:
    """A message frame never pays for what only `$connect` uses."""
    loaded = loaded_by("robosignal.server.entry")

    assert loaded & {"jose", "cryptography", "boto3", "botocore", "asyncio"} == set()


def test_every_message_has_a_right() -> None:
    """What is not in the table is refused, so a forgotten type could never be sent."""
    assert set(PERMISSIONS) == set(MESSAGES.values())


def test_every_message_is_listed_by_its_name() -> None:
    """The table of names and the union are the same types."""
    assert set(MESSAGES.values()) == set(get_args(AnyMessage))
    assert all(name == kind.__struct_config__.tag for name, kind in MESSAGES.items())
    assert set(ALIASES.values()) <= set(MESSAGES)


def test_every_message_has_a_flow() -> None:
    """Each type is one case of `flow_for`; the last case is for none."""
    function: Any = ast.parse(dedent(getsource(dispatch.flow_for))).body[0]
    match = next(node for node in function.body if isinstance(node, ast.Match))
    classes = [node for node in ast.walk(match) if isinstance(node, ast.MatchClass)]
    names = [node.cls.id for node in classes if isinstance(node.cls, ast.Name)]

    assert sorted(names) == sorted(kind.__name__ for kind in MESSAGES.values())


def shapes(base: type) -> Iterator[Any]:
    """Yield every class below this one."""
    below: list[type] = type.__subclasses__(base)
    for each in below:
        yield each
        yield from shapes(each)


def test_every_error_has_a_code_of_its_own() -> None:
    """Clients tell errors apart by code alone."""
    codes = [kind.code for kind in shapes(SignalingError)]

    assert len(codes) == len(set(codes)) == 17
    assert all(400 <= kind.status < 600 for kind in shapes(SignalingError))


def test_every_frame_has_a_type_of_its_own() -> None:
    """But for the shapes that others build on, whose tag is their own name."""
    tags = [(kind.__struct_config__.tag, kind.__name__) for kind in shapes(Frame)]
    sent = [tag for tag, name in tags if tag != name]

    assert len(sent) == len(set(sent))
    assert {"welcome", "offer", "error"} <= set(sent)
