"""Which flow carries out which message. A type that is not here has no flow."""

from typing import assert_never

from signaling.core import control, lifecycle, listing, offers, registration, relays, upkeep
from signaling.core.request import Request
from signaling.core.steps import Flow
from signaling.wire.frames import Reply
from signaling.wire.messages import (
    Answer,
    AnyMessage,
    Bye,
    IceCandidate,
    IceServers,
    Offer,
    Ping,
    Ready,
    Register,
    ReleaseControl,
    Resume,
    Robots,
    Takeover,
    Unregister,
)


def carry_out(request: Request, message: AnyMessage) -> Flow[Reply]:  # noqa: C901, PLR0911, PLR0912
    """Return the flow that carries out this message and decides its reply."""
    match message:
        case Answer() | IceCandidate():
            return relays.relay(request, message)
        case Offer():
            return offers.offer(request, message)
        case Ping():
            return upkeep.ping(request, message)
        case Ready():
            return lifecycle.ready(request, message)
        case IceServers():
            return lifecycle.ice_servers(request, message)
        case Register():
            return registration.register(request, message)
        case Unregister():
            return registration.unregister(request, message)
        case Resume():
            return upkeep.resume(request, message)
        case Bye():
            return upkeep.bye(request, message)
        case Takeover():
            return control.take_over(request, message)
        case ReleaseControl():
            return control.release_control(request, message)
        case Robots():
            return listing.robots(request, message)
        case _:
            assert_never(message)
