"""Where things are: the handler's environment when it is measured, and no variable besides."""

import os
from pathlib import Path

from tests.tables import CONNECTIONS, ROBOTS
from tests.tokens import CLIENT, ISSUER

ROOT = Path(__file__).parents[1]


def environment(endpoint: str, jwks: str) -> dict[str, str]:
    """Return the variables of a Lambda whose AWS is at `endpoint`, keys at `jwks`."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'lambdas'}{os.pathsep}{ROOT}",
        # Neither this machine's credentials nor its settings may matter, or be used.
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


def ours() -> dict[str, str]:
    """Return this process's variables, so that another one finds the same packages."""
    paths = [str(ROOT / "lambdas"), str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
