"""Chooses the flow that carries out a message."""

from typing import assert_never

from robosignal.protocol.frames import Reply
from robosignal.protocol.messages import (
    Accept,
    AcceptShare,
    Answer,
    AnyMessage,
    ApproveKey,
    Bye,
    CreateCode,
    DenyControl,
    Enroll,
    Forget,
    GrantControl,
    History,
    IceCandidate,
    IceServers,
    Invite,
    Keys,
    LeaveShare,
    Offer,
    Ping,
    Ready,
    Register,
    ReleaseControl,
    RequestControl,
    Resume,
    RevokeKey,
    Robots,
    RotateKey,
    Share,
    Shares,
    Takeover,
    Transfer,
    Unregister,
    Unshare,
    Unwatch,
    Watch,
)
from robosignal.server.core import (
    connections,
    control,
    directory,
    history,
    invitations,
    keys,
    offers,
    ownership,
    registration,
    relay,
    renewal,
    sessions,
)
from robosignal.server.core.authorization import refuse_by_kind, refuse_unlisted
from robosignal.server.core.request import Request
from robosignal.server.core.steps import Flow


def flow_for(request: Request, message: AnyMessage) -> Flow[Reply]:  # noqa: C901, PLR0911, PLR0912
    """Return the flow that carries out this message and decides its reply.

    Raise Forbidden for a message type that `PERMISSIONS` does not list, and for one that the
    sender's kind of connection never sends.
    """
    refuse_unlisted(type(message))
    refuse_by_kind(request.sender, message)
    match message:
        case Answer() | IceCandidate():
            return relay.relay(request, message)
        case Offer():
            return offers.offer(request, message)
        case Ping():
            return renewal.ping(request, message)
        case Ready():
            return connections.ready(request, message)
        case IceServers():
            return connections.ice_servers(request, message)
        case Register():
            return registration.register(request, message)
        case Unregister():
            return registration.unregister(request, message)
        case Forget():
            return ownership.forget(request, message)
        case Share():
            return ownership.share(request, message)
        case Unshare():
            return ownership.unshare(request, message)
        case Shares():
            return ownership.list_shares(request, message)
        case AcceptShare():
            return ownership.accept_share(request, message)
        case LeaveShare():
            return ownership.leave_share(request, message)
        case Invite():
            return invitations.invite(request, message)
        case Accept():
            return invitations.accept(request, message)
        case Transfer():
            return ownership.transfer(request, message)
        case Enroll():
            return keys.enroll(request, message)
        case CreateCode():
            return keys.create_code(request, message)
        case Keys():
            return keys.list_keys(request, message)
        case ApproveKey():
            return keys.approve(request, message)
        case RevokeKey():
            return keys.revoke(request, message)
        case RotateKey():
            return keys.rotate(request, message)
        case Resume():
            return renewal.resume(request, message)
        case Bye():
            return sessions.bye(request, message)
        case Takeover():
            return control.take_over(request, message)
        case ReleaseControl():
            return control.release_control(request, message)
        case RequestControl():
            return control.request_control(request, message)
        case GrantControl():
            return control.grant_control(request, message)
        case DenyControl():
            return control.deny_control(request, message)
        case Watch():
            return directory.watch(request, message)
        case Unwatch():
            return directory.unwatch(request, message)
        case Robots():
            return directory.list_robots(request, message)
        case History():
            return history.history(request, message)
        case _:
            assert_never(message)
