"""All that the handler may do: one line for each action.

A test compares these lines with the calls that the shipped handler makes: no more and no fewer.
To allow the handler more, add the scenario there and the line here.
"""

from aws_cdk import Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager

from stacks.nag import accept
from stacks.tables import Tables

QUERY = "dynamodb:Query"

CONNECTIONS_ACTIONS = (
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
)
CONNECTIONS_QUERIES = ("watchers",)

ROBOTS_ACTIONS = (
    "dynamodb:BatchGetItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:UpdateItem",
)
ROBOTS_QUERIES = ("owners", "operators", "fleet")

CONNECTION_METHODS = ("POST", "DELETE")
"""Of the management API: post a frame, close a connection."""

SECRET_ACTIONS = ("secretsmanager:GetSecretValue",)


def grant(role: iam.Role, tables: Tables, stage: apigateway.WebSocketStage) -> None:
    """Grant the handler's role all that it does."""
    for statement in (
        _items(tables.connections, CONNECTIONS_ACTIONS),
        _queries(tables.connections, CONNECTIONS_QUERIES),
        _items(tables.robots, ROBOTS_ACTIONS),
        _queries(tables.robots, ROBOTS_QUERIES),
        _posts(stage),
    ):
        role.add_to_policy(statement)
    _accept_connections(role, stage)


def grant_secret(role: iam.Role, secret: secretsmanager.ISecret) -> None:
    """Let the handler's role read what it shares with the TURN servers."""
    # CDK's own grant also allows listing the secret's versions, which nothing needs.
    role.add_to_policy(
        iam.PolicyStatement(actions=list(SECRET_ACTIONS), resources=[secret.secret_arn])
    )


def _items(table: dynamodb.Table, actions: tuple[str, ...]) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=[table.table_arn])


def _queries(table: dynamodb.Table, indexes: tuple[str, ...]) -> iam.PolicyStatement:
    # By name: CDK's own grants cover every index, future ones too, with a wildcard.
    arns = [f"{table.table_arn}/index/{index}" for index in indexes]
    return iam.PolicyStatement(actions=[QUERY], resources=arns)


def _posts(stage: apigateway.WebSocketStage) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=["execute-api:ManageConnections"],
        resources=[_connections_arn(stage, method) for method in CONNECTION_METHODS],
    )


def _connections_arn(stage: apigateway.WebSocketStage, method: str) -> str:
    resource = f"{stage.api.api_id}/{stage.stage_name}/{method}/@connections/*"
    return Stack.of(stage).format_arn(service="execute-api", resource=resource)


def _accept_connections(role: iam.Role, stage: apigateway.WebSocketStage) -> None:
    """Acknowledge the only wildcard, in each of its two places."""
    for method in CONNECTION_METHODS:
        accept(
            role,
            f"IAM5[Resource::{_as_found(stage, _connections_arn(stage, method))}]",
            "API Gateway makes the ids of connections, so none is known in advance",
        )


def _as_found(stage: apigateway.WebSocketStage, arn: str) -> str:
    """Return an ARN as cdk-nag writes it: every reference by its name in angle brackets."""
    parts = Stack.of(stage).resolve(arn)["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)
