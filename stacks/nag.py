"""Records on a construct why a finding of cdk-nag or CDK about it is accepted."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Acknowledge one finding of cdk-nag's AwsSolutions, such as `APIG4` or `IAM5[Resource::*]`."""
    _acknowledge(construct, f"AwsSolutions-{rule}", reason)


def accept_warning(construct: IConstruct, warning: str, reason: str) -> None:
    """Acknowledge one of CDK's own warnings, such as `@aws-cdk/aws-lambda:…`."""
    _acknowledge(construct, f"Annotation::{warning}", reason)


def _acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))
