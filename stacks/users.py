"""Who may sign in: a user pool and app client of this stack's own, or existing ones."""

from collections.abc import Sequence

from aws_cdk import Aws, Duration, Fn, RemovalPolicy, region_info
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from stacks.nag import accept
from stacks.settings import Settings, region_of

ADMINS = "ADMINS"
"""The group whose members may drive, and take over, every robot."""

TOKEN_MINUTES = 60
REFRESH_DAYS = 30
PASSWORD_CHARACTERS = 12


class Users(Construct):
    """A user pool's id, Region, issuer, app client's id and sign-in domain."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self.sign_in_domain: str | None = None
        if settings.user_pool_id is None:
            own = self._own_pool(settings)
            self.pool_id = own.user_pool_id
            self.region = Aws.REGION
            self.issuer = f"https://issuer-cognito-idp.{Aws.REGION}.{Aws.URL_SUFFIX}/{self.pool_id}"
            self.client_id = self._client(own, settings, writable=_writable())
            if settings.page_urls:
                self.sign_in_domain = self._domain(own, settings)
            return
        named = cognito.UserPool.from_user_pool_id(self, "Named", settings.user_pool_id)
        self.pool_id = settings.user_pool_id
        self.region = region_of(self.pool_id)
        domain = region_info.RegionInfo.get(self.region).domain_suffix or "amazonaws.com"
        # Every pool has this spelling of its issuer, and the function accepts both.
        self.issuer = f"https://cognito-idp.{self.region}.{domain}/{self.pool_id}"
        self.client_id = settings.user_pool_client_id or self._client(named, settings)

    def _own_pool(self, settings: Settings) -> cognito.UserPool:
        required = settings.mfa == "required"
        pool = cognito.UserPool(
            self,
            "Pool",
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(username=True, email=True),
            sign_in_case_sensitive=False,
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            password_policy=cognito.PasswordPolicy(
                min_length=PASSWORD_CHARACTERS,
                require_digits=True,
                require_lowercase=True,
                require_symbols=True,
                require_uppercase=True,
                temp_password_validity=Duration.days(3),
            ),
            mfa=cognito.Mfa.REQUIRED if required else cognito.Mfa.OPTIONAL,
            # What an issuer of the type UPDATED needs; it is the default for a new pool.
            feature_plan=cognito.FeaturePlan.ESSENTIALS,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            deletion_protection=settings.is_production,
            removal_policy=RemovalPolicy.RETAIN
            if settings.is_production
            else RemovalPolicy.DESTROY,
        )
        _update_issuer(pool)
        cognito.CfnUserPoolGroup(
            self,
            "Admins",
            user_pool_id=pool.user_pool_id,
            group_name=ADMINS,
            description="May drive, and take over, every robot",
        )
        _accept(pool, required=required)
        return pool

    def _client(
        self,
        pool: cognito.IUserPool,
        settings: Settings,
        writable: cognito.ClientAttributes | None = None,
    ) -> str:
        client = pool.add_client(
            "Page",
            # No client secret: neither a page nor a robot could keep it, and PKCE needs none.
            generate_secret=False,
            # The second flow can be called only with the account's own AWS credentials.
            auth_flows=cognito.AuthFlow(user_srp=True, admin_user_password=True),
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            access_token_validity=Duration.minutes(TOKEN_MINUTES),
            id_token_validity=Duration.minutes(TOKEN_MINUTES),
            refresh_token_validity=Duration.days(REFRESH_DAYS),
            write_attributes=writable,
            disable_o_auth=not settings.page_urls,
            o_auth=_authorisation_code(settings.page_urls) if settings.page_urls else None,
        )
        return client.user_pool_client_id

    def _domain(self, pool: cognito.UserPool, settings: Settings) -> str:
        # One of the few names that must be chosen: it is part of a host name, unique in the Region.
        prefix = settings.sign_in_prefix or f"{settings.stack_name.lower()}-{_stack_suffix()}"
        domain = pool.add_domain(
            "SignIn", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=prefix)
        )
        return f"{domain.domain_name}.auth.{Aws.REGION}.amazoncognito.com"


def _update_issuer(pool: cognito.UserPool) -> None:
    """Make the pool sign as the issuer that AWS recommends, whose keys several Regions serve."""
    resource = pool.node.default_child
    if not isinstance(resource, cognito.CfnUserPool):
        raise TypeError("CDK no longer builds a user pool of one resource")
    updated = cognito.CfnUserPool.IssuerConfigurationProperty(type="UPDATED")
    resource.issuer_configuration = updated


def _stack_suffix() -> str:
    """Return eight characters of the stack's id, which no other stack has."""
    return Fn.select(0, Fn.split("-", Fn.select(2, Fn.split("/", Aws.STACK_ID))))


def _writable() -> cognito.ClientAttributes:
    """Return the attributes that users may change: not their names, by which others know them."""
    return cognito.ClientAttributes().with_standard_attributes(
        address=True,
        birthdate=True,
        email=True,
        gender=True,
        locale=True,
        phone_number=True,
        profile_page=True,
        profile_picture=True,
        timezone=True,
        website=True,
    )


def _authorisation_code(page_urls: Sequence[str]) -> cognito.OAuthSettings:
    return cognito.OAuthSettings(
        flows=cognito.OAuthFlows(authorization_code_grant=True),
        scopes=[cognito.OAuthScope.OPENID, cognito.OAuthScope.PROFILE],
        callback_urls=list(page_urls),
        logout_urls=list(page_urls),
    )


def _accept(pool: cognito.UserPool, *, required: bool) -> None:
    accept(
        pool, "COG8", "the Plus plan is paid by the user, and users cannot sign themselves up here"
    )
    if not required:
        accept(
            pool, "COG2", "a setting makes MFA optional: a sandbox's scripts have no second factor"
        )
