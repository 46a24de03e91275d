"""This very app, deployed into an AWS emulator, used, and destroyed: `make test-deploy` runs it.

The real CDK command line, the real bundle, tokens of the deployed pool, and every policy
enforced. In the order of the file, since a deployment is one story; its name keeps it out of
`make test`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.stacks.emulator import ACCOUNT, REGION, Emulator, running
from tests.stacks.synthesis import ROOT
from tools.page_config import main as write_page_config

STAGE = "Trial-1"
"""Neither dev nor prod: a stage may have any name."""

STACK = f"robosignal-{STAGE}"
EMULATORS_PYTHON = ROOT / "build" / "emulator" / "bin" / "python"
CDK = ROOT / "tools" / "cdk" / "cdk"
APP = ["--app", f"{sys.executable} app.py"]
USER = "ada"
PASSWORD = "Only-for-1-test"
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Account:
    """An empty account on an emulator, bootstrapped for CDK."""

    emulator: Emulator
    work: Path

    def client(self, service: Any) -> Any:
        """Return boto3's client of one service."""
        return boto3.client(
            service,
            endpoint_url=self.emulator.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def run(self, *command: str | Path) -> str:
        """Run a command against this account; return what it printed, or fail with it."""
        ran = self.try_to(*command)
        assert ran.returncode == 0, ran.stdout
        return ran.stdout

    def try_to(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command against this account, whatever comes of it."""
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self.emulator.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def cdk(self, verb: str, *arguments: str) -> str:
        """Run one verb of the CDK command line on the app, as the emulator needs it."""
        output = str(self.work / "cdk.out")
        context = self.emulator.context
        stage = ("-c", f"STAGE={STAGE}")
        return self.run(CDK, verb, *APP, "--output", output, *stage, *context, *arguments)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account that does not exist."""
    home = tmp_path_factory.mktemp("home")
    with running(EMULATORS_PYTHON, home) as emulator:
        account = Account(emulator, home)
        account.run(CDK, "bootstrap", "--app", "", f"aws://{ACCOUNT}/{REGION}")
        # The bucket's policy refuses plain HTTP, rightly; the emulator speaks nothing else.
        bucket = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
        account.client("s3").delete_bucket_policy(Bucket=bucket)
        yield account


@dataclass(frozen=True)
class Deployment:
    """The stack, deployed."""

    account: Account
    outputs: dict[str, str]
    outputs_file: Path

    @property
    def url(self) -> str:
        """Return the address that clients connect to, on the emulator."""
        api = self.outputs["WebSocketUrl"].removeprefix("wss://").partition(".")[0]
        return f"ws://127.0.0.1:{self.account.emulator.port}/_aws/execute-api/{api}/prod"

    def token(self) -> str:
        """Return an access token of a user of the deployed pool."""
        answer = self.account.client("cognito-idp").admin_initiate_auth(
            UserPoolId=self.outputs["UserPoolId"],
            ClientId=self.outputs["UserPoolClientId"],
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": USER, "PASSWORD": PASSWORD},
        )
        token: str = answer["AuthenticationResult"]["AccessToken"]
        return token

    def probe(self, token: str) -> subprocess.CompletedProcess[str]:
        """Let `robosignal probe` play robot and client."""
        command = [sys.executable, "-m", "robosignal", "probe", self.url, "--token", token]
        return self.account.try_to(*command, "--count", "3", "--json")


@pytest.fixture(scope="module")
def deployment(account: Account) -> Deployment:
    """The stack of the sandbox, with one user in its pool."""
    outputs_file = account.work / "outputs.json"
    account.cdk("deploy", "--require-approval", "never", "--outputs-file", str(outputs_file))
    outputs = json.loads(outputs_file.read_text())[STACK]
    users = account.client("cognito-idp")
    who = {"UserPoolId": outputs["UserPoolId"], "Username": USER}
    users.admin_create_user(**who, MessageAction="SUPPRESS")
    users.admin_set_user_password(**who, Password=PASSWORD, Permanent=True)
    return Deployment(account, outputs, outputs_file)


def test_an_account_without_the_log_role_is_told_before(account: Account) -> None:
    """The check that `make deploy` begins with asks the real API."""
    ran = account.try_to(sys.executable, "-m", "tools.preflight", "-c", f"STAGE={STAGE}")

    assert ran.returncode == 1
    assert "cloudwatch_role=create" in ran.stdout


def test_robots_and_clients_meet_there(deployment: Deployment) -> None:
    """Through the deployed API and function, with a token that the deployed pool has signed."""
    ran = deployment.probe(deployment.token())

    assert ran.returncode == 0, ran.stdout


def test_a_forged_token_opens_nothing(deployment: Deployment) -> None:
    """The signature's last characters are another's."""
    token = deployment.token()
    forged = token[:-8] + token[-8:].swapcase()

    ran = deployment.probe(forged)

    assert ran.returncode == 1
    assert json.loads(ran.stdout)["failure"]["step"] == "connect"


def test_the_page_learns_where_it_is(deployment: Deployment) -> None:
    """From the very file that CDK wrote."""
    page = deployment.account.work / "config.json"

    assert write_page_config([str(deployment.outputs_file), str(page)]) == 0
    assert json.loads(page.read_text())["userPoolId"] == deployment.outputs["UserPoolId"]


def test_a_second_deployment_changes_nothing(deployment: Deployment) -> None:
    """The function's code is the same to the byte, so there is nothing to do."""
    said = deployment.account.cdk("deploy", "--require-approval", "never")

    assert "no changes" in said


def test_policies_are_enforced_here(deployment: Deployment) -> None:
    """Without its own policy the function can do nothing: so what went through was granted."""
    iam = deployment.account.client("iam")
    (role,) = (
        role["RoleName"]
        for role in iam.list_roles()["Roles"]
        if role["RoleName"].startswith(f"{STACK}-FunctionRole")
    )
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]

    iam.delete_role_policy(RoleName=role, PolicyName=policy)

    ran = deployment.probe(deployment.token())
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["failure"]["step"] == "connect"


def test_destroying_leaves_nothing_of_the_sandbox(deployment: Deployment) -> None:
    """Tables, pool and function are gone; the Region's log role stays, as was said."""
    account = deployment.account

    account.cdk("destroy", "--force")

    assert account.client("dynamodb").list_tables()["TableNames"] == []
    assert account.client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"] == []
    assert account.client("lambda").list_functions()["Functions"] == []
    assert account.client("apigateway").get_account()["cloudwatchRoleArn"]
