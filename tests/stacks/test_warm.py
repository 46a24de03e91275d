"""What a SnapStart snapshot holds, each looked at in a process that has loaded nothing else."""

import json
import subprocess
import sys
from pathlib import Path

from tests.tokens import CLIENT, ISSUER, NOW, signer

ROOT = Path(__file__).parents[2]

PROGRAM = """
import json, sys
from robosignal.server.aws.snapstart import warm_up
from robosignal.server.identity.jwks import StaticKeys
from robosignal.server.identity.tokens import Issuer, verify
asked = json.loads(sys.argv[1])
warm_up(asked["environment"])
before = set(sys.modules)
keys = StaticKeys({asked["key"]["kid"]: asked["key"]})
issuer = Issuer(asked["issuer"], frozenset([asked["client"]]), keys)
found = verify(asked["token"], (issuer,), asked["now"])
print(json.dumps({"user": found.user_id, "new": sorted(set(sys.modules) - before)}))
"""


def first_token_after(environment: dict[str, str]) -> list[str]:
    """Return the modules that judging the first token loads, after a start in this environment."""
    asked = {
        "environment": environment,
        "key": dict(signer().public),
        "token": signer().access(sub="ada"),
        "issuer": ISSUER,
        "client": CLIENT,
        "now": NOW,
    }
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(asked)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    said = json.loads(ran.stdout)
    assert said["user"] == "ada"
    new: list[str] = said["new"]
    return new


def test_a_snapshot_holds_all_that_judging_a_token_takes() -> None:
    """The first connection after a restore waits for no import."""
    assert first_token_after({"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}) == []


def test_an_ordinary_cold_start_leaves_it_for_the_first_use() -> None:
    """Messages, most of all events, never load it."""
    assert "jose" in first_token_after({"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"})
