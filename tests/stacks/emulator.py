"""Runs an AWS emulator on this machine, and says what it lacks of AWS.

It starts and stops the process. What is deployed is up to the tests.
"""

import os
import platform
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REGION = "eu-central-1"
ACCOUNT = "000000000000"
STARTED = "Running on http://"
START_SECONDS = 60
STOP_SECONDS = 10

PROGRAM = Path(__file__).parents[2] / "tools" / "emulator" / "run.py"

HOST_PYTHON = f"python3.{sys.version_info.minor}"
HOST_MACHINE = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is not what AWS gets, and why. `{port}` is the emulator's."""

    setting: str
    value: str
    reason: str


DIFFERENCES = (
    Difference(
        "lambda_architecture",
        HOST_MACHINE,
        "functions run as processes of this machine, which need not be arm64",
    ),
    Difference(
        "lambda_runtime",
        HOST_PYTHON,
        "functions run in the emulator's own Python, which need not be 3.14",
    ),
    Difference("snapstart", "off", "it is refused for python3.11, which this machine may have"),
    Difference(
        "route_response",
        "off",
        "CloudFormation there knows no AWS::ApiGatewayV2::RouteResponse; replies are sent anyway",
    ),
    Difference(
        "management_endpoint",
        "http://127.0.0.1:{port}/_aws/execute-api/{apiId}/prod",
        "the stage's own address would be AWS's",
    ),
    Difference(
        "token_jwks_url",
        "http://127.0.0.1:{port}/{userPoolId}/.well-known/jwks.json",
        "the pool's issuer is AWS's address, as its tokens say; its keys are here",
    ),
    Difference("cloudwatch_role", "create", "a new account has none"),
)


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator."""

    port: int
    log: list[str]

    @property
    def url(self) -> str:
        """Return where its services are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Return what makes AWS's own tools use it, and nothing of this machine's account."""
        return {
            "PATH": os.environ["PATH"],
            # jsii and the CDK command line keep what they unpack there.
            "HOME": os.environ["HOME"],
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def context(self) -> list[str]:
        """Return the arguments by which CDK learns of the differences."""
        found = []
        for one in DIFFERENCES:
            found += ["-c", f"{one.setting}={one.value.replace('{port}', str(self.port))}"]
        return found


@contextmanager
def running(python: Path, home: Path) -> Iterator[Emulator]:
    """Run an emulator that enforces every policy, in this Python, until the block ends."""
    port = _free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "AUTH": "true",
    }
    log: list[str] = []
    started = threading.Event()
    process = subprocess.Popen(
        [python, PROGRAM],
        env=environment,
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    reader = threading.Thread(target=_read, args=(process, log, started))
    reader.start()
    try:
        if not started.wait(START_SECONDS) or process.poll() is not None:
            raise RuntimeError("the emulator did not start:\n" + "\n".join(log))
        yield Emulator(port, log)
    finally:
        _stop(process)
        reader.join()


def _read(process: subprocess.Popen[str], log: list[str], started: threading.Event) -> None:
    if process.stdout is None:
        raise TypeError("the emulator was started without a pipe")
    with process.stdout as lines:
        for line in lines:
            log.append(line.rstrip())
            if STARTED in line:
                started.set()
    started.set()


def _stop(process: subprocess.Popen[str]) -> None:
    """End the emulator and the functions that it runs: all are in its process group."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
