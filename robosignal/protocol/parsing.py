"""Parses a frame's text into a message, or says which field is wrong and why."""

import re
from typing import Any

import msgspec

from robosignal.protocol import limits
from robosignal.protocol.errors import BadMessage, SignalingError, TooLarge, UnknownType
from robosignal.protocol.messages import (
    ALIASES,
    MESSAGES,
    AcceptShare,
    AnyMessage,
    ApproveKey,
    CreateCode,
    DenyControl,
    Enroll,
    Forget,
    GrantControl,
    History,
    IceCandidate,
    Invite,
    Keys,
    LeaveShare,
    Register,
    Relayed,
    RevokeKey,
    Share,
    SharedWith,
    Shares,
    Transfer,
    Unshare,
)

ID_RULE = "must be 1 to 64 of the characters A-Z a-z 0-9 _ . -"

RULES = {
    "id": ID_RULE,
    "robotId": ID_RULE,
    "robotIds": f"must be a list of at most {limits.ROBOTS_PER_PAGE} robot ids",
    "userId": "must be 1 to 128 characters of printable ASCII, and must not begin with #",
    "group": "must be 1 to 128 characters without control characters",
    "instanceId": ID_RULE,
    "pcId": ID_RULE,
    "sessionId": "must be a robot id, a colon and 22 characters of base64url",
    "to": f"must be text of 1 to {limits.CONNECTION_ID_CHARACTERS} characters",
    "clientConnectionId": f"must be text of 1 to {limits.CONNECTION_ID_CHARACTERS} characters",
    "target": "must be 'robot' or 'client'",
    "role": "must be 'controller' or 'viewer'",
    "payload": "must be an object",
    "seq": "must be a whole number from 1 to 2^53 - 1",
    "protocol": "must be 1, or left out for the seed dialect",
    "metadata": "must be a flat object of text values",
    "iceRestart": "must be true or false",
    "force": "must be true or false",
    "all": "must be true or false",
    "publicKey": (
        "must be a public JSON Web Key of the curve P-256: kty EC, crv P-256, x and y; "
        "a private key (d) must never be sent"
    ),
    "ownerUserId": "must be 1 to 128 characters of printable ASCII, and must not begin with #",
    "code": "must be text of 1 to 64 characters",
    "kid": "must be a key's id: 43 characters of base64url",
    "proof": f"must be text of 1 to {limits.PROOF_CHARACTERS} characters",
    "pattern": ("must be 3 to 63 of the characters A-Z a-z 0-9 _ . -, and an asterisk: rover-*"),
    "uses": f"must be a whole number from 1 to {limits.CODE_USES}",
    "ttlSeconds": f"must be a whole number from 60 to {limits.LONGEST_CODE_SECONDS}",
    "approve": "must be true or false",
    "since": "must be a time in whole epoch milliseconds, from 0 to 2^53 - 1",
    "until": "must be a time in whole epoch milliseconds, from 0 to 2^53 - 1",
    "cursor": "must be a cursor from an earlier reply",
}

RULES_OF_SHARE = {
    "role": "must be 'operator' or 'viewer'",
    "until": "must be a time in epoch milliseconds",
}

RULES_OF: dict[type[AnyMessage], dict[str, str]] = {
    Share: RULES_OF_SHARE,
    Invite: {**RULES_OF_SHARE, "uses": f"must be a whole number from 1 to {limits.SHARES}"},
}
"""Where a type of message has another rule for a field of this name."""

TO_A_ROBOT = (
    AcceptShare,
    LeaveShare,
    Forget,
    Share,
    Unshare,
    Shares,
    Invite,
    Transfer,
    Keys,
    RevokeKey,
    ApproveKey,
    GrantControl,
    DenyControl,
    History,
)
"""What only a client sends, so its `to` names a robot. For other types the server decides."""

_WHERE = re.compile(r"at `\$\.?([A-Za-z]*)")
_MISSING = re.compile(r"missing required field `([^`]+)`")
_ID = re.compile(limits.ID_PATTERN)


def parse(text: object) -> AnyMessage:
    """Return the message in a frame's text.

    Raise BadMessage, UnknownType or TooLarge, and nothing else, whatever the text is. The error's
    `reply_to` is the frame's `id` if that is valid, its `kind` the frame's `type` if that is known.
    """
    fields = _parse_object(text)
    try:
        return _convert(fields)
    except SignalingError as error:
        error.reply_to = _read_id(fields)
        error.kind = _read_kind(fields)
        raise


def _parse_object(text: object) -> dict[str, Any]:
    """Return the JSON object, within the limits on size and depth."""
    if not isinstance(text, str):
        raise BadMessage("message", "must be text")
    try:
        # API Gateway closes a connection at this size; other callers may not.
        if len(text) > limits.MESSAGE_BYTES or len(text.encode()) > limits.MESSAGE_BYTES:
            raise TooLarge("message", limits.MESSAGE_BYTES)
        value = msgspec.json.decode(text)
        if _is_deeper(value, limits.JSON_DEPTH, text):
            raise BadMessage("message", f"is nested deeper than {limits.JSON_DEPTH} levels")
    except (ValueError, RecursionError) as error:
        # A lone surrogate fails in `encode`, deep nesting in `decode`.
        raise BadMessage("message", "must be JSON (RFC 8259)") from error
    if not isinstance(value, dict):
        raise BadMessage("message", "must be a JSON object")
    return value


def _is_deeper(value: object, depth: int, text: str = "") -> bool:
    if text:
        containers = text.count("{") + text.count("[")
        if containers <= depth:
            return False
        if containers > limits.JSON_CONTAINERS:
            raise BadMessage("message", f"has more than {limits.JSON_CONTAINERS} brackets")
    if not isinstance(value, dict | list):
        return False
    if depth == 0:
        return True
    inner = value.values() if isinstance(value, dict) else value
    return any(_is_deeper(each, depth - 1) for each in inner)


def _read_id(fields: dict[str, Any]) -> str | None:
    given = fields.get("id")
    return given if isinstance(given, str) and _ID.search(given) else None


def _read_kind(fields: dict[str, Any]) -> str | None:
    given = fields.get("type")
    # The Kelvin sign becomes a k in lower case, but `ta\u212aeover` is not `takeover`.
    word = given.lower() if isinstance(given, str) and given.isascii() else ""
    name = ALIASES.get(word, word)
    return name if name in MESSAGES else None


def _convert(fields: dict[str, Any]) -> AnyMessage:
    given = fields.get("type")
    if not isinstance(given, str):
        raise BadMessage("type", "is missing" if given is None else "must be text")
    name = _read_kind(fields)
    if name is None:
        raise UnknownType(given[: limits.NAME_CHARACTERS], tuple(MESSAGES))
    kind = MESSAGES[name]
    normalized = _normalize(kind, fields) | {"type": name, "word": given.lower()}
    try:
        message = msgspec.convert(normalized, kind)
    except msgspec.ValidationError as error:
        raise _explain(str(error), kind) from error
    _check_fields(message)
    return message


def _normalize(kind: type[AnyMessage], fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields under their standard names. A null field counts as absent."""
    normalized = {name: value for name, value in fields.items() if value is not None}
    if kind is Register and "robotId" not in normalized and "from" in normalized:
        normalized["robotId"] = normalized["from"]
    if kind in TO_A_ROBOT and "robotId" not in normalized and "to" in normalized:
        normalized["robotId"] = normalized["to"]
    if issubclass(kind, Relayed):
        loose = {name: normalized[name] for name in ("sdp", "candidate") if name in normalized}
        if kind is IceCandidate and "candidate" in fields:
            # A null candidate is not absent: it ends the candidates.
            loose["candidate"] = fields["candidate"]
        if loose and isinstance(normalized.get("payload", {}), dict):
            normalized["payload"] = loose | normalized.get("payload", {})
    return normalized


def _explain(problem: str, kind: type[AnyMessage]) -> BadMessage:
    if missing := _MISSING.search(problem):
        return BadMessage(missing[1], "is missing")
    where = _WHERE.search(problem)
    name = where[1] if where else ""
    rules = RULES | RULES_OF.get(kind, {})
    return BadMessage(name or "message", rules.get(name, problem))


def _check_grantee(message: SharedWith) -> None:
    """Refuse a share that names neither a user nor a group, or both."""
    if message.user_id is None and message.group is None:
        raise BadMessage("userId", "is missing: name a userId or a group")
    if message.user_id is not None and message.group is not None:
        raise BadMessage("group", "must not be given beside userId: name one of them")


def _check_fields(message: AnyMessage) -> None:
    """Check what the types of the fields do not say."""
    if isinstance(message, Enroll):
        _check_enroll(message)
    elif isinstance(message, RevokeKey) and (message.kid is None) != message.all:
        # Who forgets `kid` must not end every key.
        raise BadMessage("kid", "give either kid, or all with the value true")
    elif isinstance(message, SharedWith):
        _check_grantee(message)
    elif isinstance(message, CreateCode) and (message.robot_id is None) == (
        message.pattern is None
    ):
        raise BadMessage("pattern", "give either robotId or pattern")
    elif isinstance(message, Register) and message.metadata is not None:
        if len(msgspec.json.encode(message.metadata)) > limits.METADATA_BYTES:
            raise BadMessage("metadata", f"is over the limit of {limits.METADATA_BYTES} bytes")
    elif isinstance(message, Relayed):
        if not message.payload:
            raise BadMessage("payload", "is empty")
        _check_size(message.payload, "sdp", limits.SDP_BYTES)
        _check_size(message.payload, "candidate", limits.CANDIDATE_BYTES)


def _check_enroll(message: Enroll) -> None:
    if (message.public_key is None) == (message.code is None):
        raise BadMessage("publicKey", "give either publicKey or, as a robot, code")
    if message.public_key is not None and message.robot_id is None:
        raise BadMessage("robotId", "is missing")
    if message.code is not None and message.owner_user_id is not None:
        raise BadMessage("ownerUserId", "belongs to create-code: a code has its owner already")


def _check_size(payload: dict[str, Any], name: str, limit_bytes: int) -> None:
    value = payload.get(name)
    raw = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
    if len(raw) > limit_bytes:
        raise TooLarge(name, limit_bytes)
