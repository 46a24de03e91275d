"""The table of rights is what decides: a message that it gives to no one is refused."""

from typing import Any

import pytest

from robosignal.protocol.messages import MESSAGES
from robosignal.server.core.authorization import NO_RELATIONS, PERMISSIONS
from tests.device import DeviceKey
from tests.world import World

SESSION = "r1:AAAAAAAAAAAAAAAAAAAAAA"
KEY = DeviceKey()

FIELDS: dict[str, Any] = {
    "robotId": "r1",
    "sessionId": SESSION,
    "userId": "olga",
    "payload": {"sdp": "o"},
    "publicKey": KEY.jwk,
    "kid": KEY.kid,
    "proof": "a.b.c",
}
"""Enough for any message; what one does not know it ignores."""


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_without_its_row_is_refused_to_everyone(
    name: str, local_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the owner, who is an admin too, may send it then; nothing changes."""
    local_world.robot("r1", "owner")
    everyone = local_world.connect("owner", groups=["ADMINS"])
    before = local_world.stored()
    monkeypatch.setitem(PERMISSIONS, MESSAGES[name], NO_RELATIONS)

    # `enroll` has either a key or a code.
    code = {"code": "AAAA-AAAA-AAAA-AAAA"} if name == "accept" else {}
    assert everyone.refused(type=name, **FIELDS, **code) == (403, "forbidden")
    assert local_world.stored() == before
