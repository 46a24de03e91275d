"""The environment of measured processes: the handler's, with no other variable, and our own."""

import os
from pathlib import Path

from tests.tables import CONNECTIONS, ROBOTS
from tests.tokens import CLIENT, ISSUER

ROOT = Path(__file__).parents[1]


def handler_environment(endpoint: str, jwks: str) -> dict[str, str]:
    """Return the variables of a Lambda whose AWS is at `endpoint`, keys at `jwks`."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'lambdas'}{os.pathsep}{ROOT}",
        # This machine's credentials and settings must neither be used nor change a figure.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        # In a Lambda there always is one, and it goes into each signature.
        "AWS_SESSION_TOKEN": "bench" * 100,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "CONN_TABLE": CONNECTIONS,
        "ROBOT_PRESENCE_TABLE": ROBOTS,
        "WS_MGMT_ENDPOINT": f"{endpoint}/prod",
        "TOKEN_ISSUER": ISSUER,
        "TOKEN_AUDIENCES": CLIENT,
        "TOKEN_JWKS_URL": jwks,
        # One connection sends far more than any may.
        "LIMITS": "off",
    }


def own_environment() -> dict[str, str]:
    """Return this process's variables, so that another one finds the same packages."""
    paths = [str(ROOT / "lambdas"), str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
