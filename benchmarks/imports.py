"""How long the handler takes to import, against boto3 with the two clients that it makes.

Each import has a fresh interpreter, which prints the CPU time that it took.
"""

import subprocess
import sys
from collections.abc import Mapping

from benchmarks.environment import handler_environment
from benchmarks.scale import Scale
from benchmarks.tables import MILLISECONDS, Figure, Table, ratio, tabulate

TITLE = "Importing the handler"

HANDLER = "import signaling.handler"
CLIENTS = """
import os, boto3
boto3.client("dynamodb")
boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["WS_MGMT_ENDPOINT"])
"""
# Nothing but what is measured may import anything; time is built in.
PROGRAM = """
import time
began = time.process_time()
{}
print((time.process_time() - began) * 1000)
"""

ENDPOINT = "https://abc.execute-api.eu-central-1.amazonaws.com/prod"


def measure(scale: Scale) -> Table:
    """Return the CPU time of both, and their ratio."""
    variables = handler_environment(ENDPOINT, f"{ENDPOINT}/jwks.json")
    for program in (HANDLER, CLIENTS):
        _cpu_ms(program, variables)  # so that all bytecode is there
    handler: list[float] = []
    clients: list[float] = []
    for number in range(scale.imports):
        turns = [(HANDLER, handler), (CLIENTS, clients)]
        for program, times in turns if number % 2 else reversed(turns):
            times.append(_cpu_ms(program, variables))
    return tabulate(
        TITLE,
        (
            Figure("`signaling.handler`", MILLISECONDS, tuple(handler)),
            Figure("boto3 and its two clients", MILLISECONDS, tuple(clients)),
            ratio("handler / boto3 and its two clients", handler, clients),
        ),
    )


def _cpu_ms(program: str, variables: Mapping[str, str]) -> float:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM.format(program)],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)
