"""Every limit and pattern of the protocol. The unit is part of the name."""

# API Gateway's quotas for WebSocket APIs, which cannot be raised.
FRAME_BYTES = 32 * 1024
MESSAGE_BYTES = 128 * 1024
IDLE_SECONDS = 10 * 60
LIFETIME_SECONDS = 2 * 60 * 60

# A seed frame carries its SDP twice, so 48 KiB leaves room for the rest of a message.
SDP_BYTES = 48 * 1024
CANDIDATE_BYTES = 2 * 1024
METADATA_BYTES = 1024
JSON_DEPTH = 16
JSON_CONTAINERS = 1000
"""The most opening brackets in a frame, including those in texts. More would take too long."""

ID_PATTERN = r"^[A-Za-z0-9_.-]{1,64}$(?!\n)"
TOKEN_PATTERN = r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$(?!\n)"  # noqa: S105 - a pattern
"""A token is sent as a subprotocol, which is a header token (RFC 7230, section 3.2.6)."""
SESSION_PATTERN = r"^[A-Za-z0-9_.-]{1,64}:[A-Za-z0-9_-]{22}$(?!\n)"
PATTERN_PATTERN = r"^[A-Za-z0-9_.-]{3,63}\*$(?!\n)"
USER_PATTERN = r"^(?!#)[\x20-\x7e]{1,128}$(?!\n)"
GROUP_PATTERN = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,128}$(?!\n)"
CONNECTION_ID_CHARACTERS = 128
NAME_CHARACTERS = 128

KEYS = 3
"""How many keys a robot may have, so that one can be replaced while it is in use."""

ROTATED_KEY_SECONDS = 7 * 24 * 60 * 60
"""How long the key that a robot has replaced is still accepted."""

ASSERTION_SECONDS = 300
"""How long a robot's assertion may be valid."""

ASSERTION_AHEAD_SECONDS = 30
ASSERTION_BEHIND_SECONDS = 600
"""How far a robot's clock may be ahead of the server's, and behind it."""

ASSERTIONS_PER_SECOND = 8
"""How many connections a robot may register with assertions that were issued in one second."""

ENROLL_SECONDS = 30
"""How long a connection that enrols a robot may stay open."""

CODE_USES = 1000
CODE_SECONDS = 24 * 60 * 60
LONGEST_CODE_SECONDS = 30 * 24 * 60 * 60

INVITATION_SECONDS = 7 * 24 * 60 * 60
"""How long an invitation lasts, unless it says otherwise. Both kinds of code have one maximum."""

SHARES = 50
"""With how many users and groups a robot may be shared, offers that are not accepted included."""

OFFERS = 100
"""How many offers of an owner's robots may wait for their users, over all robots."""

LONGEST_SHARE_SECONDS = 366 * 24 * 60 * 60
"""How far ahead the end of a share may be."""

GROUPS = 20
"""How many of a token's groups count for shares. Cognito allows 100."""

VIEWERS = 10
WATCHERS = 100
"""How many watchers of a robot are notified of a change, because the sender waits for it."""

SECOND_LOOK_SECONDS = 5
"""How long after `watch` a client lists again. The index of watchers lags, and its answers are
trusted for a few seconds, so a change in that time may be neither in the reply nor pushed."""

ROBOTS_PER_PAGE = 50

INTERVALS_PER_PAGE = 50
HISTORY_BYTES = 30 * 1024
"""The most bytes of a page of history, which leaves room for the message's id in a frame."""

SEED_KEEPALIVE_SECONDS = 300
"""Half of API Gateway's idle timeout, so that one run may fail."""

LONGEST_HEARTBEAT_SECONDS = 500
HEARTBEAT_SECONDS = 120
"""How often a robot renews its presence, unless a deployment says otherwise."""

PRESENCE_SECONDS = HEARTBEAT_SECONDS * 5 // 2
"""Two and a half heartbeats, so that one may be lost or late."""

VIEWER_RENEWAL_SECONDS = 120
"""How often a viewer renews its session, whatever the heartbeat."""

VIEWER_SECONDS = 300
LEASE_SECONDS = 60
LEASE_RENEWAL_SECONDS = 20
GRACE_SECONDS = 30

CLOCK_SECONDS = 10
"""How far apart a deployment's clocks may be. What ends later than it can, by more than this, was
written by a clock that has been set back since, and counts as over."""

ROW_SECONDS = 2 * 60 * 60 + 10 * 60
"""How long a connection's item is kept: ten minutes longer than the longest connection."""

MESSAGES_PER_SECOND = 50
BURST = 100
STRIKES = 3
"""After how many seconds over the limit the connection is closed."""

PEERS = 128
PEER_BURST = 100
PEER_MESSAGES_PER_SECOND = 5
"""Answers and candidates to one peer, in addition to a connection's other messages."""

USER_BURST = 2000
USER_UNITS_PER_SECOND = 400
"""All connections of a user together. The most expensive messages take eight units, so 50 messages
a second are always within it."""

USER_RENEWALS_BURST = 2000
USER_RENEWALS_PER_SECOND = 500
"""Renewals and ends on all connections of a user, who may own a whole fleet."""

TAKEN_BURST = 20
TAKEN_PER_SECOND = 1
"""How often one user may take one robot's lease."""

PUSHES_BURST = 5
PUSHES_PER_SECOND = 1
"""How often a robot's watchers are notified; further changes are sent together."""

TOKEN_CHARACTERS = 8192
TOKEN_URL_CHARACTERS = 4000
"""API Gateway accepts URLs of at most 4,096 characters."""

PROOF_CHARACTERS = 2048

SUBPROTOCOL = "robosignal.v1"
BEARER_PREFIX = "bearer."
