"""The Region's API Gateway account: the role with which API Gateway writes any access log.

There is one such setting in a Region, shared by every API in it. So this stack makes it only on
request, and leaves it behind for other APIs that may rely on it by then.
"""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.nag import accept

POLICY = "service-role/AmazonAPIGatewayPushToCloudWatchLogs"


class Account(Construct):
    """Lets API Gateway write logs in this account and Region."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(POLICY)],
        )
        account = apigateway.CfnAccount(self, "Account", cloud_watch_role_arn=role.role_arn)
        account.node.add_dependency(role)
        for kept in (role, account):
            kept.apply_removal_policy(RemovalPolicy.RETAIN)
        accept(
            role,
            f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{POLICY}]",
            "the policy that AWS wrote for this role, which every API of the Region shares",
        )
