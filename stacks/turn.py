"""The secret that the handler shares with the TURN servers, to make passwords that expire."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from stacks.grants import grant_secret
from stacks.nag import accept
from stacks.settings import Settings

SECRET_CHARACTERS = 64


class Turn(Construct):
    """A random secret that only the handler reads. An operator copies it to the TURN servers."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, reader: iam.Role
    ) -> None:
        super().__init__(scope, construct_id)
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description="Shared with the TURN servers (static-auth-secret)",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=SECRET_CHARACTERS, exclude_punctuation=True
            ),
            removal_policy=RemovalPolicy.RETAIN
            if settings.is_production
            else RemovalPolicy.DESTROY,
        )
        grant_secret(reader, self.secret)
        accept(
            self.secret,
            "SMG4",
            "the TURN servers hold a copy, so both must be changed together",
        )
