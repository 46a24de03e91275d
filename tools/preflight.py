"""Says, before anything is deployed, what CloudFormation would fail on ten minutes later.

Owns the questions to ask, one so far; must never change anything in the account.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from stacks.context import BadSettings, read_settings
from stacks.settings import Settings

CDK_JSON = Path(__file__).parent.parent / "cdk.json"
CONTEXT_FLAGS = ("-c", "--context")

NO_ROLE = """\
robosignal: API Gateway may not write logs yet in {region}, so the API's access log would fail.
One role lets it, for the whole account and Region, and none is set there. So let this stack make
it, and leave it behind when the stack goes:

    make deploy STAGE={stage} ARGS="-c cloudwatch_role=create"
"""


def settings_of(arguments: Sequence[str], context: Mapping[str, Any]) -> Settings:
    """Return the settings that CDK will read from these arguments of its and `cdk.json`.

    Raise BadSettings naming all that is wrong with them.
    """
    pairs = pairwise(arguments)
    said = [value.partition("=") for flag, value in pairs if flag in CONTEXT_FLAGS]
    return read_settings({**context, **{name: value for name, _, value in said}})


def has_role(account: Mapping[str, Any]) -> bool:
    """Tell whether an answer of GetAccount names the role with which API Gateway writes logs."""
    return bool(account.get("cloudwatchRoleArn"))


def main(arguments: list[str]) -> int:
    """Return 0 if `cdk deploy` with these arguments can do; else say why not, and return 1."""
    try:
        settings = settings_of(arguments, json.loads(CDK_JSON.read_text())["context"])
        if settings.cloudwatch_role == "create":
            return 0
        client = boto3.client("apigateway")
        account = client.get_account()
    except BadSettings as error:
        sys.stderr.write(f"robosignal: {error}\n")
        return 1
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"robosignal: this account cannot be asked: {error}\n")
        return 1
    if has_role(account):
        return 0
    sys.stderr.write(NO_ROLE.format(region=client.meta.region_name, stage=settings.stage))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
