"""Every limit and pattern of the protocol, each in one place, with its unit in its name.

Robot, probe, gateway and documents import these; nothing here computes.
"""

# API Gateway's quotas for WebSocket APIs, which nobody can raise.
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
"""Opening brackets in a frame, in texts too: walking more would cost too much to look into."""

ID_PATTERN = r"^[A-Za-z0-9_.-]{1,64}$(?!\n)"
TOKEN_PATTERN = r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$(?!\n)"  # noqa: S105 - a pattern
"""A token travels as a subprotocol, and those are header tokens (RFC 7230, section 3.2.6)."""
SESSION_PATTERN = r"^[A-Za-z0-9_.-]{1,64}:[A-Za-z0-9_-]{22}$(?!\n)"
USER_PATTERN = r"^(?!#)[\x20-\x7e]{1,128}$(?!\n)"
CONNECTION_ID_CHARACTERS = 128
NAME_CHARACTERS = 128

OPERATORS = 50
VIEWERS = 10
WATCHERS = 100
"""Of those who watch a robot so many are told of a change: the sender waits for it."""

SECOND_LOOK_SECONDS = 5
"""So long after `watch` a client lists again. Who watches is read from an index that lags, and its
answers are trusted for a few seconds: a change in that time may be in neither list nor push."""

ROBOTS_PER_PAGE = 50

SEED_KEEPALIVE_SECONDS = 300
"""Half of what API Gateway takes for idle, so that one run may fail."""

LONGEST_HEARTBEAT_SECONDS = 500
HEARTBEAT_SECONDS = 120
"""How often a robot renews its presence, unless a deployment says otherwise."""

PRESENCE_SECONDS = HEARTBEAT_SECONDS * 5 // 2
"""Presence lasts two and a half heartbeats: one that is lost or late is forgiven."""

VIEWER_RENEWAL_SECONDS = 120
"""How often a viewer renews its place, whatever the heartbeat."""

VIEWER_SECONDS = 300
LEASE_SECONDS = 60
LEASE_RENEWAL_SECONDS = 20
GRACE_SECONDS = 30

CLOCK_SECONDS = 10
"""How far apart the clocks of a deployment may be. What ends later than it can, by more than this,
was written by a clock that has been set back since: it counts as over."""

ROW_SECONDS = 2 * 60 * 60 + 10 * 60
"""A connection's row outlives the longest connection by ten minutes."""

MESSAGES_PER_SECOND = 50
BURST = 100
STRIKES = 3
"""So many seconds over the limit, and the connection is closed."""

PEERS = 128
PEER_BURST = 100
PEER_MESSAGES_PER_SECOND = 5
"""Answers and candidates that a connection sends to one peer besides its other messages."""

USER_BURST = 2000
USER_UNITS_PER_SECOND = 400
"""All connections of a user together. The dearest messages take eight units, so that 50 a second
are always within it."""

USER_RENEWALS_BURST = 2000
USER_RENEWALS_PER_SECOND = 500
"""What renews or ends, of all connections of a user: a fleet may be one user's."""

TAKEN_BURST = 20
TAKEN_PER_SECOND = 1
"""How often one user takes one robot's lease."""

PUSHES_BURST = 5
PUSHES_PER_SECOND = 1
"""How often a robot's watchers are told of its changes; further changes are sent together."""

TOKEN_CHARACTERS = 8192
TOKEN_URL_CHARACTERS = 4000
"""API Gateway takes URLs of at most 4,096 characters."""

SUBPROTOCOL = "robosignal.v1"
BEARER_PREFIX = "bearer."
