"""Checks, before anything is deployed, what CloudFormation would fail on ten minutes later.

It changes nothing in the account.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from stacks.context import BadSettings, read_settings
from stacks.settings import Settings

CDK_JSON = Path(__file__).parent.parent / "cdk.json"

REGIONS = ("AWS_REGION", "AMAZON_REGION", "AWS_DEFAULT_REGION", "AMAZON_DEFAULT_REGION")
"""The variables that say to CDK's command line where to deploy, the first one that is set."""

NO_ROLE = """\
robosignal: API Gateway may not write logs in {region} yet, so the API's access log would fail.
It needs one role for the whole account and Region, and none is set there. Let this stack make the
role; it stays when the stack is destroyed:

    make deploy STAGE={stage} ARGS="-c cloudwatch_role=create"
"""


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return `context` (a list of `KEY=VALUE`) and `profile` of CDK's arguments, however spelt.

    `--context=KEY=VALUE`, `-cKEY=VALUE` and `--profile=NAME` count as their longer forms do; all
    other arguments are CDK's own business.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-c", "--context", action="append", default=[])
    parser.add_argument("--profile")
    known, _ = parser.parse_known_args(arguments)
    return known


def settings_of(said: Sequence[str], context: Mapping[str, Any]) -> Settings:
    """Return the settings that CDK will read from these `KEY=VALUE` and `cdk.json`'s context.

    Raise BadSettings naming all that is wrong with them.
    """
    pairs = (each.partition("=") for each in said)
    return read_settings({**context, **{name: value for name, _, value in pairs}})


def session_of(profile: str | None) -> boto3.Session:
    """Return a session with the credentials and the Region to which CDK will deploy.

    Raise BotoCoreError for a profile that is not configured.
    """
    region = next(filter(None, map(os.environ.get, REGIONS)), None)
    return boto3.Session(profile_name=profile, region_name=region)


def has_role(account: Mapping[str, Any]) -> bool:
    """Return whether an answer of GetAccount names the role with which API Gateway writes logs."""
    return bool(account.get("cloudwatchRoleArn"))


def main(arguments: list[str]) -> int:
    """Return 0 if `cdk deploy` can work with these arguments; else print why not, and return 1."""
    try:
        asked = read_arguments(arguments)
        settings = settings_of(asked.context, json.loads(CDK_JSON.read_text())["context"])
        if settings.cloudwatch_role == "create":
            return 0
        client = session_of(asked.profile).client("apigateway")
        account = client.get_account()
    except BadSettings as error:
        sys.stderr.write(f"robosignal: {error}\n")
        return 1
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"robosignal: cannot ask AWS about this account: {error}\n")
        return 1
    if has_role(account):
        return 0
    sys.stderr.write(NO_ROLE.format(region=client.meta.region_name, stage=settings.stage))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
