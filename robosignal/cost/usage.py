"""A month of a fleet in quantities: how often each event happens, and what that adds up to."""

from dataclasses import dataclass
from math import ceil

from robosignal.cost.events import EVENTS, Event
from robosignal.protocol.limits import FRAME_BYTES, HEARTBEAT_SECONDS, LEASE_RENEWAL_SECONDS
from robosignal.server.ice.turn import TTL_SECONDS

HOURS_A_MONTH = 730
SECONDS_A_MONTH = HOURS_A_MONTH * 3600
GB = 1024**3

# The stack's, for any fleet; a test counts both in its template.
ALARMS = 15
DASHBOARDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Robots, and how they are driven in a month."""

    robots: int
    hours: float
    """For how long each robot is online."""
    sessions: float
    """How often each robot is driven."""
    drivers: int
    """Users who sign in, including robots with a user of their own."""
    session_minutes: float = 30
    turn_urls: bool = False
    """Whether the stack is deployed with this setting: it then keeps a secret, and pages and
    robots ask for TURN passwords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Estimates that no test counts. Replace them with your own measurements."""

    redial_minutes: float = 60
    """A connection ends with its token, and Cognito's last an hour by default."""
    candidates: int = 10
    """That a browser sends in one session."""
    memory_gb: float = 0.5
    own_ms: float = 3
    call_ms: float = 8
    """Of one call to DynamoDB or the management API. Calls count as if made one after the other."""
    cold_starts: float = 0.001
    """Of all events."""
    access_log_bytes: int = 110
    """API Gateway's line for one event. Lambda writes none if it succeeds, since the stack sets its
    system log level to WARN."""
    metrics: int = 40
    """Names with their dimensions that have ever counted something."""
    item_bytes: int = 1024
    """A robot's item, with its index entries."""


ASSUMED = Assumptions()


def count_events(fleet: Fleet, assumed: Assumptions = ASSUMED) -> dict[str, float]:
    """Return how often each event of `EVENTS` happens in a month."""
    online_minutes = fleet.robots * fleet.hours * 60
    redials = online_minutes / assumed.redial_minutes
    sessions = fleet.robots * fleet.sessions
    driven_minutes = sessions * fleet.session_minutes
    resumes = sessions * max(0, ceil(fleet.session_minutes / assumed.redial_minutes) - 1)
    dials = redials + sessions + resumes
    passwords = sessions + redials * robot_passwords(assumed.redial_minutes)
    return {
        "connect": dials,
        "ready": dials,
        "watch": sessions + resumes,
        "second list": sessions + resumes,
        "ice servers": passwords if fleet.turn_urls else 0,
        "robot ping": online_minutes * 60 / HEARTBEAT_SECONDS,
        "redial": redials,
        "old robot socket closes": redials,
        "watching page closes": sessions,
        "offer": sessions,
        "answer": sessions,
        "candidate": sessions * assumed.candidates,
        "lease ping": driven_minutes * 60 / LEASE_RENEWAL_SECONDS,
        "resume": resumes,
        "old page socket closes": resumes,
        "bye": sessions,
    }


def robot_passwords(minutes: float) -> int:
    """Return how often a robot asks for a TURN password while a token of so many minutes lasts.

    It asks when it registers and whenever three quarters of a password's time are over, and
    dials again in the last minute. A password ends with the token.
    """
    asked, left = 0, minutes
    while left > 1:
        asked += 1
        left -= 0.75 * min(TTL_SECONDS / 60, left)
    return asked


def count_messages(event: Event) -> int:
    """Return how many messages are charged, in pieces of 32 KB, both ways."""
    each_post = event.posted / event.posts if event.posts else 0
    return (
        ceil(event.received / FRAME_BYTES)
        + ceil(event.replied / FRAME_BYTES)
        + event.posts * ceil(each_post / FRAME_BYTES)
    )


def run_seconds(event: Event, assumed: Assumptions = ASSUMED) -> float:
    """Return how long the Lambda runs, in seconds."""
    return (assumed.own_ms + event.calls * assumed.call_ms) / 1000


def estimate_usage(fleet: Fleet, assumed: Assumptions = ASSUMED) -> dict[str, float]:
    """Return a month's quantities, by the names of their prices."""
    counts = count_events(fleet, assumed)
    happened = [(count, EVENTS[name]) for name, count in counts.items()]
    events = sum(counts.values())
    stored_gb = fleet.robots * assumed.item_bytes / GB
    minutes = fleet.robots * (fleet.hours * 60 + fleet.sessions * fleet.session_minutes)
    return {
        "websocket_messages": sum(count * count_messages(event) for count, event in happened),
        "websocket_minutes": minutes,
        "lambda_requests": events,
        "lambda_gb_seconds": assumed.memory_gb
        * sum(count * run_seconds(event, assumed) for count, event in happened),
        "snapstart_cache_gb_seconds": assumed.memory_gb * SECONDS_A_MONTH,
        "snapstart_restore_gb": assumed.memory_gb * events * assumed.cold_starts,
        "dynamodb_writes": sum(count * event.writes for count, event in happened),
        "dynamodb_reads": sum(count * event.reads for count, event in happened),
        "dynamodb_storage_gb_months": stored_gb,
        "dynamodb_backup_gb_months": stored_gb,
        "data_out_gb": sum(count * (event.replied + event.posted) for count, event in happened)
        / GB,
        "log_gb": sum(
            count * (event.logged + assumed.access_log_bytes) for count, event in happened
        )
        / GB,
        "metric_months": assumed.metrics,
        "alarm_months": ALARMS,
        "dashboard_months": DASHBOARDS,
        "cognito_active_users": fleet.drivers,
        "secret_months": int(fleet.turn_urls),
    }
