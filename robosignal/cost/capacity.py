"""How many robots use up AWS's default quotas and the stack's throttle, up to ten million.

`docs/explanation/capacity.md` shows what is computed here, and a test compares the two.
"""

from dataclasses import dataclass

from robosignal.cost.events import EVENTS
from robosignal.cost.usage import HOURS_A_MONTH, SECONDS_A_MONTH, Fleet, count_events, run_seconds
from robosignal.protocol.limits import HEARTBEAT_SECONDS

FLEETS = tuple(10**power for power in range(2, 8))
DRIVEN = 0.1
"""The fraction of robots that is driven at any moment."""

MINUTES = 30

THROTTLE_RATE = 1_000
"""The default of the stack's setting `throttle_rate`; a test compares the two."""

DIAL = ("connect", "ready", "redial")
"""The events that bring a robot online again after it has lost its connection."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit of one account in one Region, or of the stack itself."""

    name: str
    default: float
    unit: str


QUOTAS = (
    Quota("throttle", THROTTLE_RATE, "events a second to the stack: its own `throttle_rate`"),
    Quota("api", 10_000, "requests a second to API Gateway, posts included"),
    Quota("api_small", 2_500, "requests a second to API Gateway, where a Region starts lower"),
    Quota("connections", 500, "new connections a second"),
    Quota("invocations", 10_000, "invocations a second: ten for each concurrent one"),
    Quota("concurrency", 1_000, "concurrent invocations"),
    Quota("writes", 40_000, "write units a second of one table"),
    Quota("new_table_writes", 4_000, "write units a second of a table that is new"),
    Quota("tokens", 120, "sign-ins and refreshed tokens a second, of Cognito"),
)


def busy_fleet(robots: int) -> Fleet:
    """Return robots that are always online, a tenth of them driven at any moment."""
    sessions = DRIVEN * HOURS_A_MONTH * 60 / MINUTES
    return Fleet(robots=robots, hours=HOURS_A_MONTH, sessions=sessions, drivers=robots)


def estimate_load(robots: int) -> dict[str, float]:
    """Return what a busy fleet uses of each quota in a second, and sends to those who watch."""
    rates = {name: n / SECONDS_A_MONTH for name, n in count_events(busy_fleet(robots)).items()}
    each = [(rate, EVENTS[name]) for name, rate in rates.items()]
    # `$disconnect` comes from API Gateway itself, not from a client.
    asked = sum(rate for rate, event in each if event.route != "$disconnect")
    requests = asked + sum(rate * event.posts for rate, event in each)
    writes = sum(rate * event.writes for rate, event in each)
    return {
        # AWS applies it to each route; here it counts for all together, which is stricter.
        "throttle": asked,
        "api": requests,
        "api_small": requests,
        "connections": rates["connect"],
        "invocations": sum(rates.values()),
        "concurrency": sum(rate * run_seconds(event) for rate, event in each),
        "writes": writes,
        "new_table_writes": writes,
        # A connection ends with its token, so each dial needs a new token.
        "tokens": rates["connect"],
        "heartbeats": robots / HEARTBEAT_SECONDS,
        "pushes": sum(rate * event.pushes for rate, event in each),
    }


def robots_at_quota(quota: Quota) -> int:
    """Return how many robots use up a quota."""
    return int(quota.default / estimate_load(1)[quota.name])


def quota_table() -> str:
    """Return the quotas as Markdown, the first to bind first."""
    rows = [
        f"| {quota.unit} | {quota.default:,.0f} | {_round(robots_at_quota(quota)):,} |"
        for quota in sorted(QUOTAS, key=robots_at_quota)
    ]
    return "\n".join(["| quota | default | binds at robots |", "| --- | ---: | ---: |", *rows])


COLUMNS = {
    "heartbeats": "heartbeats a second",
    "throttle": "events a second from clients",
    "api": "API requests a second",
    "connections": "new connections a second",
    "concurrency": "concurrent invocations",
    "writes": "write units a second",
    "pushes": "frames a second to an admin who watches all",
}


def fleet_table() -> str:
    """Return each fleet's load as Markdown, with what exceeds a default in bold."""
    over = {quota.name: quota.default for quota in QUOTAS}
    head = ["robots", *COLUMNS.values(), "all dial again in"]
    rows = [f"| {' | '.join(head)} |", "|" + " ---: |" * len(head)]
    for robots in FLEETS:
        found = estimate_load(robots)
        cells = [_cell(found[name], over.get(name)) for name in COLUMNS]
        rows.append(f"| {robots:,} | {' | '.join(cells)} | {_duration(redial_seconds(robots))} |")
    return "\n".join(rows)


def dials_a_second() -> float:
    """Return how many robots can come back in a second; each dial takes several events."""
    defaults = {quota.name: quota.default for quota in QUOTAS}
    return min(defaults["connections"], defaults["throttle"] / len(DIAL))


def redial_seconds(robots: int) -> float:
    """Return how many seconds a fleet needs to reconnect after it has lost all connections."""
    return robots / dials_a_second()


def _round(value: int) -> int:
    """Round to two figures: the rest is noise."""
    digits = max(0, len(str(value)) - 2)
    return round(value, -digits)


def _cell(value: float, most: float | None) -> str:
    text = f"{value:,.0f}" if value >= 10 else f"{value:.2g}"  # noqa: PLR2004 - two figures
    return f"**{text}**" if most is not None and value > most else text


def _duration(found: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if found >= length:
            return f"{found / length:.2g} {unit}"
    return f"{found:.2g} s"
