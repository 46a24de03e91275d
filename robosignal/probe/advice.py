"""What to check next, for each step of the probe and each trouble that it can meet.

Knows how a deployment is put together; must never touch one.
"""

from http import HTTPStatus

from robosignal.probe.claims import hints
from robosignal.probe.laps import StepFailed
from robosignal.probe.trouble import (
    Ended,
    Fault,
    NoDialect,
    Refusal,
    Rejected,
    Silence,
    Trouble,
    Unreachable,
    Unresolved,
    Untrusted,
)

NETWORK = "the network: a firewall or a proxy on the way"
THROTTLES = "the throttle of the stage and of the account: API Gateway's 429s in CloudWatch"
LOG = "the function's log"
POSTS = (
    "posts to connections: the function needs execute-api:ManageConnections on this API's stage",
    "WS_MGMT_ENDPOINT: it must be this API's own https address, with the stage as its path",
    f"{LOG}, where a refused post stands",
)
REPLIES = (
    "the route response of $default: without one, replies have no way back",
    f"the integration of $default, and {LOG}",
)

STATUSES: dict[int, list[str]] = {
    HTTPStatus.BAD_REQUEST: ["the URL: does its query bear another token?"],
    HTTPStatus.FORBIDDEN: [
        "the URL's path: it must be the API's stage, such as /prod",
        "ALLOWED_ORIGINS: the probe sends no Origin, so only if a proxy on the way adds one",
    ],
    HTTPStatus.NOT_FOUND: ["the URL: is a WebSocket API there, and is this its stage?"],
    HTTPStatus.UPGRADE_REQUIRED: ["a proxy on the way: the request to upgrade was lost"],
    HTTPStatus.TOO_MANY_REQUESTS: [THROTTLES],
    HTTPStatus.INTERNAL_SERVER_ERROR: [f"{LOG}: $connect failed"],
    HTTPStatus.BAD_GATEWAY: [
        f"{LOG}: the function failed, or could not start",
        "its environment: a variable that is missing or wrong is named there",
    ],
    HTTPStatus.SERVICE_UNAVAILABLE: [THROTTLES, "the function's concurrency, and the tables'"],
    HTTPStatus.GATEWAY_TIMEOUT: [f"{LOG}: it did not answer within the integration's timeout"],
}

WAY: dict[type[Trouble], list[str]] = {
    Unresolved: [
        "the URL's host: the stack's output WebSocketUrl has it",
        "this machine's DNS, and whether it is online",
    ],
    Unreachable: [
        "the URL's host and port, and whether the service runs",
        "ws or wss: does the server speak TLS there?",
        NETWORK,
    ],
    Untrusted: [
        "the URL's host: it must be a name that the certificate is for",
        "this machine's clock and certificates, and a proxy that opens TLS",
    ],
    NoDialect: [
        "the result of $connect: its header Sec-WebSocket-Protocol must be robosignal.v1",
        "a proxy on the way that drops this header",
    ],
    Ended: [f"{LOG}: who closed it, and why", NETWORK],
}

CODES = {
    "token_expired": ["the token: it ended while the probe ran, so get a new one"],
    "forbidden": ["the two tokens: the client's user must own the robot's, or be an admin"],
    "robot_offline": list(POSTS),
    "peer_gone": list(POSTS),
    "rate_limited": ["LIMITS, and what else this user sends"],
    "try_again": [
        "the tables: throttled writes, or another Region than the function's",
        *POSTS,
    ],
    "unknown_type": ["the version: this deployment does not know the message"],
}

CLAIM = "CLAIM_POLICY: with `provisioned`, no new robot may register, so no probe's either"


def advise(failed: StepFailed, token: str, now_s: int) -> list[str]:
    """Return what to check, likeliest first. `token` is that of the end that failed."""
    match failed.trouble:
        case Rejected(status=HTTPStatus.UNAUTHORIZED):
            return [
                *hints(token, now_s),
                f"the issuer's keys: TOKEN_JWKS_URL, and the reason in {LOG}",
            ]
        case Refusal() | Fault() as answered:
            return _on_answer(failed.step, answered)
        case Silence() as silence:
            return _on_silence(failed.step, silence)
        case trouble:
            return _on_way(trouble)


def _on_way(trouble: Trouble) -> list[str]:
    """Advise on what keeps a connection from opening, or from staying open."""
    if isinstance(trouble, Rejected):
        return STATUSES.get(trouble.status, [f"the URL, and {LOG}"])
    return WAY.get(type(trouble), [LOG])


def _on_answer(step: str, answered: Refusal | Fault) -> list[str]:
    request = f"{LOG}: search it for request {answered.request_id}"
    if isinstance(answered, Fault):
        if answered.message == "Forbidden":
            return ["the route $default: it is missing, so no message reaches the function"]
        return [request, "the function's timeout, and its permissions"]
    if answered.code == "internal":
        return [request, "its permissions on both tables, and on this API's connections"]
    if step == "register" and answered.code == "forbidden":
        return [CLAIM, "the robot's token: whose it is"]
    return CODES.get(answered.code, [f"{LOG}: what was refused, and why"])


def _on_silence(step: str, silence: Silence) -> list[str]:
    match step:
        case "resolve":
            return ["this machine's DNS"]
        case "connect":
            return ["the URL's host and port", NETWORK, f"{LOG}: $connect may take too long"]
        case _ if silence.awaited.startswith("reply to"):
            return list(REPLIES)
        case _:
            return list(POSTS)
