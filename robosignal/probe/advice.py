"""What to check next, for each step of the probe and each error that it can meet."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from robosignal.probe.errors import (
    Closed,
    GatewayFault,
    HandshakeRejected,
    HostNotFound,
    NoSubprotocol,
    ProbeError,
    RequestRefused,
    TimedOut,
    TlsFailed,
    Unreachable,
)
from robosignal.probe.steps import StepFailed
from robosignal.server.identity.compact import parse_token

NETWORK = "the network: a firewall or a proxy on the way"
THROTTLES = "the throttle of the stage and of the account: API Gateway's 429s in CloudWatch"
LOG = "the function's log"
POSTS = (
    "posts to connections: the function needs execute-api:ManageConnections on this API's stage",
    "WS_MGMT_ENDPOINT: it must be this API's own https address, with the stage as its path",
    f"{LOG}, which has every refused post",
)
REPLIES = (
    "the route response of $default: without one, replies never reach the client",
    f"the integration of $default, and {LOG}",
)

BY_STATUS: dict[int, list[str]] = {
    HTTPStatus.BAD_REQUEST: ["the URL: its query may hold another token"],
    HTTPStatus.FORBIDDEN: [
        "the URL's path: it must be the API's stage, such as /prod",
        "ALLOWED_ORIGINS: the probe sends no Origin, so only if a proxy on the way adds one",
    ],
    HTTPStatus.NOT_FOUND: ["the URL: is a WebSocket API there, and is this its stage?"],
    HTTPStatus.UPGRADE_REQUIRED: ["a proxy on the way that drops the request to upgrade"],
    HTTPStatus.TOO_MANY_REQUESTS: [THROTTLES],
    HTTPStatus.INTERNAL_SERVER_ERROR: [f"{LOG}: $connect failed"],
    HTTPStatus.BAD_GATEWAY: [
        f"{LOG}: the function failed, or could not start",
        "its environment: the log names the variable that is missing or wrong",
    ],
    HTTPStatus.SERVICE_UNAVAILABLE: [
        THROTTLES,
        "the function's concurrency, and the tables' capacity",
    ],
    HTTPStatus.GATEWAY_TIMEOUT: [f"{LOG}: it did not answer within the integration's timeout"],
}

BY_ERROR: dict[type[ProbeError], list[str]] = {
    HostNotFound: [
        "the URL's host: the stack's output WebSocketUrl has it",
        "this machine's DNS, and whether it is online",
    ],
    Unreachable: [
        "the URL's host and port, and whether the service runs",
        "ws or wss: does the server speak TLS there?",
        NETWORK,
    ],
    TlsFailed: [
        "the URL's host: it must be a name that the certificate is for",
        "this machine's clock and certificates, and any proxy that opens TLS",
    ],
    NoSubprotocol: [
        "the result of $connect: its header Sec-WebSocket-Protocol must be robosignal.v1",
        "a proxy on the way that drops this header",
    ],
    Closed: [f"{LOG}: who closed it, and why", NETWORK],
}

BY_CODE = {
    "token_expired": ["the token: it expired while the probe ran, so get a new one"],
    "forbidden": ["the two tokens: the client's user must own the robot, or be an admin"],
    "robot_offline": list(POSTS),
    "peer_gone": list(POSTS),
    "rate_limited": ["LIMITS, and what else this user is sending"],
    "try_again": [
        "the tables: throttled writes, or another Region than the function's",
        *POSTS,
    ],
    "unknown_type": ["the version: this deployment does not know the message"],
}

CLAIM = "CLAIM_POLICY: under `provisioned` no new robot may register, so neither may the probe's"


def advise(failed: StepFailed, token: str, now_s: int) -> list[str]:
    """Return what to check, likeliest first. `token` is that of the side that failed."""
    match failed.error:
        case HandshakeRejected(status=HTTPStatus.UNAUTHORIZED):
            return [
                *explain_token(token, now_s),
                f"the issuer's keys: TOKEN_JWKS_URL, and the reason in {LOG}",
            ]
        case RequestRefused() | GatewayFault() as answer:
            return _advise_on_answer(failed.step, answer)
        case TimedOut() as timeout:
            return _advise_on_timeout(failed.step, timeout)
        case error:
            return _advise_on_connection(error)


def _advise_on_connection(error: ProbeError) -> list[str]:
    """Advise on why a connection does not open, or does not stay open."""
    if isinstance(error, HandshakeRejected):
        return BY_STATUS.get(error.status, [f"the URL, and {LOG}"])
    return BY_ERROR.get(type(error), [LOG])


def _advise_on_answer(step: str, answer: RequestRefused | GatewayFault) -> list[str]:
    request = f"{LOG}: search it for request {answer.request_id}"
    if isinstance(answer, GatewayFault):
        if answer.message == "Forbidden":
            return ["the route $default: it is missing, so no message reaches the function"]
        return [request, "the function's timeout, and its permissions"]
    if answer.code == "internal":
        return [request, "its permissions on both tables, and on this API's connections"]
    if step == "register" and answer.code == "forbidden":
        return [CLAIM, "the robot's token: whose it is"]
    return BY_CODE.get(answer.code, [f"{LOG}: what was refused, and why"])


def _advise_on_timeout(step: str, timeout: TimedOut) -> list[str]:
    match step:
        case "resolve":
            return ["this machine's DNS"]
        case "connect":
            return ["the URL's host and port", NETWORK, f"{LOG}: $connect may take too long"]
        case _ if timeout.awaited.startswith("reply to"):
            return list(REPLIES)
        case _:
            return list(POSTS)


AUDIENCES = {"access": "client_id", "id": "aud"}
"""Which claim names the audience, by the token's use."""


def explain_token(token: str, now_s: int) -> list[str]:
    """Return what in a token may explain why it was refused, judged without its signature.

    `now_s` is in epoch seconds.
    """
    claims = _claims(token)
    if claims is None:
        return ["the token: this one is no JWT; pass it whole, without quotes or `Bearer`"]
    return [*_expiry(claims, now_s), _use(claims), _issuer(claims), *_audience(claims)]


def _claims(token: str) -> Mapping[str, Any] | None:
    """Return a token's claims, unverified; None if the text is no JWT."""
    try:
        return parse_token(token).claims
    except ValueError:
        return None


def _expiry(claims: Mapping[str, Any], now_s: int) -> list[str]:
    expires = claims.get("exp")
    if type(expires) is not int:
        return ["the token's expiry: the claim `exp` is missing or no whole number"]
    if expires <= now_s:
        return [
            f"the token's expiry: it ended {_format_age(now_s - expires)} ago, so get a new one"
        ]
    issued = claims.get("iat")
    if type(issued) is int and issued > now_s:
        return [f"the clocks: the token was issued {_format_age(issued - now_s)} from now"]
    return []


def _use(claims: Mapping[str, Any]) -> str:
    use = claims.get("token_use")
    if use in AUDIENCES:
        return f"the token's signature: it is an {use} token, which its issuer signs with RS256"
    return f"the token's use: `token_use` must be access or id, and this says {_show(use)}"


def _issuer(claims: Mapping[str, Any]) -> str:
    named = f"the issuer: the token's is {_show(claims.get('iss'))}"
    return f"{named}, and TOKEN_ISSUER must be exactly that"


def _audience(claims: Mapping[str, Any]) -> list[str]:
    claim = AUDIENCES.get(str(claims.get("token_use")))
    if claim is None:
        return []
    named = f"the audience: the token's `{claim}` is {_show(claims.get(claim))}"
    return [f"{named}, and TOKEN_AUDIENCES must name it"]


def _show(value: object) -> str:
    text = str(value) if isinstance(value, str) else "missing"
    return "".join(filter(str.isprintable, text))[:200]


def _format_age(seconds: int) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
