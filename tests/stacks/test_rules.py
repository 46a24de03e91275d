"""The rules hold of both stages, and each is broken by the mistake that it is there for."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.stacks.policies import role_of_function
from tests.stacks.rules import ALWAYS, IN_PROD, Rule
from tests.stacks.synthesis import Template, resources, table_named, the_only

Mistake = Callable[[Template], None]


def broken(template: Template, rules: tuple[Rule, ...]) -> list[str]:
    """Return what breaks these rules."""
    return [sentence for rule in rules for sentence in rule(template)]


def test_the_sandbox_keeps_every_rule(dev: Template) -> None:
    """Nothing that holds always is broken in dev."""
    assert broken(dev, ALWAYS) == []


def test_production_keeps_every_rule(prod: Template) -> None:
    """Nothing at all is broken in prod."""
    assert broken(prod, ALWAYS + IN_PROD) == []


def one(kind: str, change: Callable[[dict[str, Any]], object]) -> Mistake:
    """Return a mistake in the first resource of a type."""

    def make(template: Template) -> None:
        change(next(iter(resources(template, kind).values())))

    return make


def allow(action: str, resource: object = "arn:aws:dynamodb:eu-central-1:1:table/t") -> Mistake:
    """Return the mistake of allowing the function one thing more."""

    def make(template: Template) -> None:
        role = template["Resources"][role_of_function(template)]["Properties"]
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        role["Policies"] = [{"PolicyName": "more", "PolicyDocument": {"Statement": [statement]}}]

    return make


def allow_all_but(template: Template) -> None:
    """Allow the function all but one thing."""
    allow("x")(template)
    role = template["Resources"][role_of_function(template)]["Properties"]
    (statement,) = role["Policies"][0]["PolicyDocument"]["Statement"]
    statement["NotAction"] = "iam:*"


def forget_ttl(template: Template) -> None:
    """Leave the TTL of connections out."""
    del table_named(template, "connectionId")[1]["TimeToLiveSpecification"]


def expire_robots(template: Template) -> None:
    """Let robots expire by when they last registered."""
    robots = table_named(template, "robotId")[1]
    robots["TimeToLiveSpecification"] = {"AttributeName": "updatedAt", "Enabled": True}


def connect_to(integration: dict[str, Any]) -> Mistake:
    """Return the mistake of answering `$connect` by something that verifies no token."""

    def make(template: Template) -> None:
        template["Resources"]["Other"] = {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": integration,
        }
        routes = resources(template, "AWS::ApiGatewayV2::Route").values()
        (connect,) = (route for route in routes if route["RouteKey"] == "$connect")
        connect["Target"] = {"Fn::Join": ["", ["integrations/", {"Ref": "Other"}]]}

    return make


def drop_connect(template: Template) -> None:
    """Leave `$connect` out: API Gateway then lets anybody in."""
    for name, route in resources(template, "AWS::ApiGatewayV2::Route").items():
        if route["RouteKey"] == "$connect":
            del template["Resources"][name]


def say(key: str, value: Any) -> Callable[[dict[str, Any]], object]:
    """Return what sets a property, whose path is given by dots; None takes it out."""

    def change(properties: dict[str, Any]) -> None:
        *path, last = key.split(".")
        for part in path:
            properties = properties[part]
        if value is None:
            del properties[last]
        else:
            properties[last] = value

    return change


def let_go(kind: str) -> Mistake:
    """Return the mistake of deleting what there is of this type together with the stack."""

    def make(template: Template) -> None:
        name = next(iter(resources(template, kind)))
        template["Resources"][name]["DeletionPolicy"] = "Delete"

    return make


def drop_statement(effect: str) -> Mistake:
    """Return the mistake of leaving a statement out of the topic's policy."""

    def make(template: Template) -> None:
        _, policy = the_only(template, "AWS::SNS::TopicPolicy")
        document = policy["PolicyDocument"]
        document["Statement"] = [one for one in document["Statement"] if one["Effect"] != effect]

    return make


FUNCTION = "AWS::Lambda::Function"
STAGE = "AWS::ApiGatewayV2::Stage"
INTEGRATION = "AWS::ApiGatewayV2::Integration"
POOL = "AWS::Cognito::UserPool"
CLIENT = "AWS::Cognito::UserPoolClient"
TABLE = "AWS::DynamoDB::Table"
LOG = "AWS::Logs::LogGroup"
MOCK = {"IntegrationType": "MOCK", "TimeoutInMillis": 15000}
FOREIGN = {
    "IntegrationType": "AWS_PROXY",
    "IntegrationUri": "arn:aws:apigateway:r:lambda:path/2015-03-31/functions/other/invocations",
    "TimeoutInMillis": 15000,
}

MISTAKES: list[tuple[Mistake, str]] = [
    (allow("dynamodb:*"), "may do dynamodb:*"),
    (allow("dynamodb:Get?tem"), "may do dynamodb:Get?tem"),
    (allow("dynamodb:Scan"), "may do dynamodb:Scan"),
    (allow("dynamodb:BatchWriteItem"), "may do dynamodb:BatchWriteItem"),
    (allow("dynamodb:GetItem", "*"), "may do dynamodb:GetItem on *"),
    (allow("execute-api:ManageConnections", "arn:aws:execute-api:*:*:*/*"), "on arn:aws:execute"),
    (allow_all_but, "all but what it names"),
    (connect_to(MOCK), "$connect does not reach"),
    (connect_to(FOREIGN), "$connect does not reach"),
    (drop_connect, "the routes are not those"),
    (one(FUNCTION, say("Handler", "open.handler")), "not the verifying function's"),
    (one(FUNCTION, say("Timeout", 30)), "function of 30 s"),
    (one(INTEGRATION, say("TimeoutInMillis", None)), "the API waits 29000 ms"),
    (forget_ttl, "the connections table has no TTL"),
    (expire_robots, "forgets robots"),
    (one(STAGE, say("DefaultRouteSettings.ThrottlingRateLimit", None)), "not throttled"),
    (one(STAGE, say("DefaultRouteSettings.DataTraceEnabled", value=True)), "traces data"),
    (one(STAGE, say("RouteSettings", {"$default": {"LoggingLevel": "INFO"}})), "a route traces"),
    (one(STAGE, say("AccessLogSettings", None)), "the access log has []"),
    (one(STAGE, say("AccessLogSettings.Format", "$context.identity.sourceIp")), "identity"),
    (one(LOG, say("RetentionInDays", None)), "kept for ever"),
    (one(FUNCTION, say("LoggingConfig.LogFormat", "Text")), "does not log JSON"),
    (one(FUNCTION, say("LoggingConfig.LogGroup", None)), "does not log JSON"),
    (one(POOL, say("AdminCreateUserConfig", None)), "anybody may sign up"),
    (one(POOL, say("Policies.PasswordPolicy.MinimumLength", 8)), "passwords are short"),
    (one(CLIENT, say("GenerateSecret", value=True)), "would need a secret"),
    (one(CLIENT, say("AllowedOAuthFlows", ["code", "implicit"])), "in addresses"),
    (one(CLIENT, say("PreventUserExistenceErrors", None)), "tells who exists"),
    (one(CLIENT, say("ExplicitAuthFlows", ["ALLOW_USER_PASSWORD_AUTH"])), "as they are"),
    (one("AWS::CloudWatch::Alarm", say("AlarmActions", None)), "has no action"),
    (drop_statement("Deny"), "without TLS"),
    (drop_statement("Allow"), "CloudWatch may not write"),
    (one(FUNCTION, say("SnapStart", None)), "the function runs as"),
    (one(FUNCTION, say("Runtime", "python3.13")), "the function runs as"),
    (one(TABLE, say("PointInTimeRecoverySpecification", None)), "cannot be wound back"),
    (one(TABLE, say("DeletionProtectionEnabled", None)), "can be deleted"),
    (one(POOL, say("DeletionProtection", "INACTIVE")), "people can be deleted"),
    (one(POOL, say("MfaConfiguration", "OPTIONAL")), "password alone"),
    (let_go(TABLE), "goes with the stack"),
    (let_go(POOL), "goes with the stack"),
    (let_go(LOG), "goes with the stack"),
]


@pytest.mark.parametrize(("mistake", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_mistake_is_refused(prod: Template, mistake: Mistake, said: str) -> None:
    """Made in a copy of the real template, it is what the rules then say, and nothing else."""
    template = copy.deepcopy(prod)

    mistake(template)

    found = broken(template, ALWAYS + IN_PROD)
    assert found
    assert all(said in sentence for sentence in found), found


def test_no_rule_is_without_its_mistake(prod: Template) -> None:
    """Each rule is broken by one of the mistakes above."""
    tried = set()
    for mistake, _ in MISTAKES:
        template = copy.deepcopy(prod)
        mistake(template)
        tried |= {rule for rule in ALWAYS + IN_PROD if list(rule(template))}

    assert tried == set(ALWAYS + IN_PROD)
