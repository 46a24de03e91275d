"""A month's bill: quantities times prices, as a table and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from robosignal.cost.prices import Prices
from robosignal.cost.usage import ASSUMED, Fleet

WIDTHS = (16, 34, 18, 14, 14)
RULE = "-" * sum(WIDTHS)
EXCLUDED = "Without tax, free tiers, discounts, support, and the traffic of a TURN server."


@dataclass(frozen=True, slots=True)
class Line:
    """One price's part of a bill."""

    service: str
    meter: str
    quantity: float
    usd: float
    confidence: str


def make_bill(quantities: Mapping[str, float], prices: Prices) -> list[Line]:
    """Return a line for each quantity, in the prices' order, which groups by service."""
    return [
        Line(
            price.service,
            price.meter,
            quantities[name],
            price.cost(quantities[name]),
            price.confidence,
        )
        for name, price in prices.prices.items()
    ]


def sum_by_service(lines: list[Line]) -> dict[str, float]:
    """Return what each service costs in USD."""
    services = dict.fromkeys(line.service for line in lines)
    return {name: sum(line.usd for line in lines if line.service == name) for name in services}


def format_table(fleet: Fleet, lines: list[Line], prices: Prices) -> str:
    """Return the bill for a person to read: service, meter, quantity, and USD."""
    services = sum_by_service(lines)
    total = sum(services.values())
    rows = [
        *_head_lines(fleet, prices),
        _row("service", "meter", "a month", "USD a month", "USD a robot"),
        RULE,
    ]
    for service, usd in services.items():
        rows.append(_row(service, "", "", f"{usd:,.2f}", _each(usd, fleet)))
        rows += [
            _row("", line.meter, _quantity(line.quantity), f"{line.usd:,.2f}", "")
            for line in lines
            if line.service == service
        ]
    rows += [
        RULE,
        _row("total", "", "", f"{total:,.2f}", _each(total, fleet)),
        "",
        *_foot_lines(prices),
    ]
    return "\n".join(row.rstrip() for row in rows)


def _head_lines(fleet: Fleet, prices: Prices) -> list[str]:
    robots = f"{fleet.robots:,} robots, each {fleet.hours:g} h online"
    driven = f"driven {fleet.sessions:g} times for {fleet.session_minutes:g} min"
    users = f"{fleet.drivers:,} users"
    return [f"A month of {robots} and {driven}; {users}; {prices.region}", ""]


def _foot_lines(prices: Prices) -> list[str]:
    dates = sorted({price.as_of for price in prices.prices.values()})
    unsure = sum(price.confidence == "unverified" for price in prices.prices.values())
    known = f"List prices as of {' to '.join(dates)}, {unsure} of {len(prices.prices)} unverified"
    return [EXCLUDED, f"{known}: check before you rely on them."]


def _row(*cells: str) -> str:
    left, right = cells[:2], cells[2:]
    texts = [cell.ljust(width) for cell, width in zip(left, WIDTHS[:2], strict=True)]
    numbers = [cell.rjust(width) for cell, width in zip(right, WIDTHS[2:], strict=True)]
    return "".join(texts + numbers)


def _quantity(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.2f}"  # noqa: PLR2004 - enough figures


def _each(usd: float, fleet: Fleet) -> str:
    return f"{usd / fleet.robots:,.4f}"


def format_json(fleet: Fleet, lines: list[Line], prices: Prices) -> str:
    """Return the bill as JSON, with the fleet and the assumptions behind it."""
    total = sum(line.usd for line in lines)
    found: dict[str, Any] = {
        "fleet": asdict(fleet),
        "assumptions": asdict(ASSUMED),
        "region": prices.region,
        "note": prices.note,
        "lines": [asdict(line) for line in lines],
        "services": sum_by_service(lines),
        "usdMonth": total,
        "usdRobotMonth": total / fleet.robots,
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
