"""Every setting of a deployment: its name, type, limits and default."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Switch = Literal["on", "off"]
Runtime = Literal["python3.11", "python3.12", "python3.13", "python3.14"]
LogDays = Literal[1, 7, 14, 30, 90, 180, 365, 731, 3653]
"""The useful ones of the retentions that CloudWatch Logs offers."""


STACK_PREFIX = "robosignal-"

STAGE_CHARACTERS = 128 - len(STACK_PREFIX)
"""Of a stack's name, of which CloudFormation takes 128 (CreateStack, StackName)."""


def _like(described: str, pattern: str) -> Meta:
    return Meta(pattern=rf"^(?:{pattern})\Z", description=described)


STAGE = _like(
    f"1 to {STAGE_CHARACTERS} letters, digits and hyphens, the first one no hyphen",
    rf"[A-Za-z0-9][A-Za-z0-9-]{{0,{STAGE_CHARACTERS - 1}}}",
)

PAGE = _like(
    "an https URL with a path, or http://localhost",
    r"(https://[^/?#,]+|http://localhost(:\d+)?)/[^?#,]*",
)
TURN = _like(
    "a turn: or turns: URL",
    r"turns?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(\?transport=(udp|tcp))?",
)
ADDRESS = _like("a WebSocket address", r"wss?://[^/?#,]+(/[^?#,]*)?")
CLIENT = _like("an app client's id", "[A-Za-z0-9_]{1,128}")
POOL = _like("a user pool's id", "[a-z0-9-]+_[A-Za-z0-9]+")
EMAIL = _like("an e-mail address", r"[^@\s]+@[^@\s]+\.[^@\s]+")
PREFIX = _like("1 to 63 of a to z, 0 to 9 and -", "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
TEXT = _like("text", ".+")

Text = Annotated[str, TEXT]
Capacity = Annotated[int, Meta(ge=1, le=40_000)]


class Settings(Struct, frozen=True, kw_only=True):
    """All that shapes a deployment. The context key of each is its name; `stage` is `STAGE`."""

    stage: Annotated[str, STAGE] = "dev"
    profile: Literal["sandbox", "production"] = "sandbox"

    # The function
    memory_mb: Annotated[int, Meta(ge=128, le=10_240)] = 512
    reserved_concurrency: Annotated[int, Meta(ge=1, le=100_000)] | None = None

    # The rules, handed to the handler as its environment
    claim_policy: Text | None = None
    provisioners_group: Text | None = None
    allowed_origins: tuple[Text, ...] = ()
    max_viewers: Text | None = None
    heartbeat_seconds: Text | None = None
    limits: Text | None = None
    ice_servers: Text | None = None

    # Robots and pages of the seed dialect
    seed_keepalive: Switch = "off"

    # The tables
    capacity: Literal["on-demand", "provisioned"] = "on-demand"
    capacity_min: Capacity = 5
    capacity_max: Capacity = 500

    # Limits and logs
    throttle_rate: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000
    throttle_burst: Annotated[int, Meta(ge=1, le=1_000_000)] = 500
    log_days: LogDays = 14
    # No level above INFO: Lambda would drop the audit log, and the metrics with it.
    log_level: Literal["DEBUG", "INFO"] = "INFO"
    cloudwatch_role: Literal["exists", "create"] = "exists"

    # Alarms
    alarm_email: Annotated[str, EMAIL] | None = None
    alarm_p99_ms: Annotated[int, Meta(ge=10, le=10_000)] = 1_000

    # Who may sign in, and from which pages
    user_pool_id: Annotated[str, POOL] | None = None
    user_pool_client_id: Annotated[str, CLIENT] | None = None
    more_audiences: tuple[Annotated[str, CLIENT], ...] = ()
    mfa: Literal["required", "optional"] = "required"
    page_urls: tuple[Annotated[str, PAGE], ...] = ()
    sign_in_prefix: Annotated[str, PREFIX] | None = None

    # Robots with keys of their own
    robot_urls: tuple[Annotated[str, ADDRESS], ...] = ()

    # TURN
    turn_urls: tuple[Annotated[str, TURN], ...] = ()

    # What an emulator lacks. On AWS these stay as they are.
    lambda_architecture: Literal["arm64", "x86_64"] = "arm64"
    lambda_runtime: Runtime = "python3.14"
    snapstart: Switch = "on"
    route_response: Switch = "on"
    management_endpoint: Text | None = None
    token_jwks_url: Text | None = None

    @property
    def is_production(self) -> bool:
        """Whether data must survive mistakes, and sign-in is strict by default."""
        return self.profile == "production"

    @property
    def stack_name(self) -> str:
        """The stack's name, which begins the names of its resources."""
        return f"{STACK_PREFIX}{self.stage}"

    @property
    def rules(self) -> dict[str, str]:
        """The handler's environment, as far as it is known before anything is deployed."""
        given = {
            "CLAIM_POLICY": self.claim_policy,
            "PROVISIONERS_GROUP": self.provisioners_group,
            "ALLOWED_ORIGINS": ",".join(self.allowed_origins),
            "MAX_VIEWERS": self.max_viewers,
            "HEARTBEAT_SECONDS": self.heartbeat_seconds,
            "LIMITS": self.limits,
            "ICE_SERVERS": self.ice_servers,
        }
        return {name: value for name, value in given.items() if value}


def region_of(pool_id: str) -> str:
    """Return the Region that a user pool is in: the pool's id begins with it."""
    return pool_id.partition("_")[0]


DEFAULTS: dict[str, dict[str, Any]] = {
    # A page on this machine may sign in, and scripts may with a password alone.
    "sandbox": {"mfa": "optional", "page_urls": "http://localhost:8080/"},
    # No one owns an id by coming first: admins, and provisioners, let robots in.
    "production": {"log_days": 365, "claim_policy": "provisioned"},
}
"""Where a profile's defaults differ from the class's own."""


def default_profile(stage: str) -> str:
    """Return the profile of a stage that names none: `prod` is production, others are sandboxes."""
    return "production" if stage == "prod" else "sandbox"
