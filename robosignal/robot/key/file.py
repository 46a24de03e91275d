"""The file that holds a robot's private key, and which robot it is.

Each change replaces the whole file, and is on disk before it counts: a robot that loses power at
any moment has the file as it was before, or as it is after.
"""

import json
import os
import stat
import time
import uuid
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec

from robosignal.protocol.device_keys import encode_base64url
from robosignal.protocol.ids import RobotId
from robosignal.protocol.limits import ID_PATTERN
from robosignal.robot.key.private_key import PrivateKey

FILE_VARIABLE = "ROBOSIGNAL_ROBOT_FILE"
FORM = 1
"""The number of the form below, kept in the file as `version`."""

LONGEST_FILE = 65_536
OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class KeyFileRefused(Exception):
    """The file cannot be used. The text says why, and what to do; it never quotes the key.

    `path` is the file, `problem` what is wrong with it, and `remedy` what to do.
    """

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(path, problem, remedy)
        self.path = path
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"the robot's key file {self.path} {self.problem}: {self.remedy}"


class _Form(msgspec.Struct, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """What is written. Secrets are base64url of 32 bytes; times are epoch seconds.

    `kid` is the id of the key of `secret`, for people and programs that must not read the secret.
    """

    version: int
    kid: str
    url: str
    secret: str
    created_at: int
    robot_id: Annotated[str, msgspec.Meta(pattern=ID_PATTERN)] | None = None
    next_secret: str | None = None


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What a key file says, and where it is: at `path`. `load` and `create` return one.

    `url` is the server that the key was made for. `robot_id` is None until the robot is enrolled.
    `next_key` is the key that is about to replace `key`; the server may have it or not.
    `created_at` is when `key` was made, in epoch seconds by the robot's clock.
    """

    path: Path
    url: str
    key: PrivateKey
    created_at: int
    robot_id: RobotId | None = None
    next_key: PrivateKey | None = None

    @classmethod
    def load(cls, path: Path | str) -> "KeyFile":
        """Return what the file at `path` says.

        Raise FileNotFoundError if there is none, and KeyFileRefused if it cannot be read, is none
        of a robot's, or other users may read it or replace it.
        """
        path = Path(path)
        try:
            _check_directory(path)
            text = _read(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _refuse(path, error) from error
        return _parse(path, text)

    @classmethod
    def create(cls, path: Path | str, url: str, now: int | None = None) -> "KeyFile":
        """Make a key and its file (0600, in a directory that is made 0700), if there is none.

        `path` is where, and `url` the server's WebSocket address, as the robot will connect to it.
        Return what the file says, which another process may have made meanwhile. `now` is in
        epoch seconds, by default the clock's. Raise KeyFileRefused as `load` does, and if the
        file cannot be written.
        """
        path = Path(path)
        made = cls(path, url, PrivateKey.generate(), int(time.time()) if now is None else now)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _check_directory(path)
            draft = _write_draft(made)
            try:
                # A link fails if the file exists. A rename would replace another's key.
                path.hardlink_to(draft)
            except FileExistsError:
                return cls.load(path)
            finally:
                draft.unlink()
            _sync_directory(path.parent)
        except OSError as error:
            raise _refuse(path, error) from error
        return made

    def note_enrolment(self, robot_id: RobotId) -> "KeyFile":
        """Keep the `robot_id` that the key is enrolled as; no change if that is known already."""
        return self if robot_id == self.robot_id else self._replace(robot_id=robot_id)

    def prepare_next(self) -> "KeyFile":
        """Keep a new key beside the one in use; no change if there is one already."""
        return self if self.next_key else self._replace(next_key=PrivateKey.generate())

    def adopt_next(self, now: int) -> "KeyFile":
        """Make the new key the one in use, and forget the old one; `now` is in epoch seconds."""
        if self.next_key is None:
            return self
        return self._replace(key=self.next_key, next_key=None, created_at=now)

    def _replace(self, **changes: Any) -> "KeyFile":
        changed = replace(self, **changes)
        try:
            draft = _write_draft(changed)
            try:
                draft.rename(self.path)
            except OSError:
                draft.unlink()
                raise
            _sync_directory(self.path.parent)
        except OSError as error:
            raise _refuse(self.path, error) from error
        return changed


def default_path(environment: Mapping[str, str]) -> Path:
    """Return where the key file is if no option says so.

    It is `$ROBOSIGNAL_ROBOT_FILE`, else `robosignal/robot.json` in `$XDG_CONFIG_HOME`, which is
    `~/.config` if it is not set.
    """
    if named := environment.get(FILE_VARIABLE):
        return Path(named)
    base = environment.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "robosignal" / "robot.json"


def _check_directory(path: Path) -> None:
    """Raise KeyFileRefused if other users could replace the file with theirs."""
    directory = path.parent
    status = directory.stat()
    if status.st_uid not in (os.geteuid(), 0):
        raise KeyFileRefused(
            path, "is in a directory of another user", "use a directory of your own"
        )
    # In a directory with the sticky bit, such as /tmp, others cannot replace what is not theirs.
    if status.st_mode & OTHERS_WRITE and not status.st_mode & stat.S_ISVTX:
        raise KeyFileRefused(
            path, "is in a directory that others may write to", f"chmod go-w {directory}"
        )


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        # The open file is checked, not the path, which could name another file by now.
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileRefused(path, "is no regular file", "name another one")
        if status.st_uid not in (os.geteuid(), 0):
            raise KeyFileRefused(path, "belongs to another user", "run the robot as that user")
        if status.st_mode & OTHERS:
            raise KeyFileRefused(path, "can be read by other users", f"chmod 600 {path}")
        return file.read(LONGEST_FILE)


def _write_draft(wanted: KeyFile) -> Path:
    """Write the file's text to a draft beside it, on disk, and return the draft."""
    draft = wanted.path.with_name(f".{wanted.path.name}.{uuid.uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_format(wanted))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        draft.unlink()
        raise
    return draft


def _format(wanted: KeyFile) -> bytes:
    following = wanted.next_key
    form = _Form(
        version=FORM,
        kid=wanted.key.kid,
        url=wanted.url,
        secret=encode_base64url(wanted.key.secret),
        created_at=wanted.created_at,
        robot_id=wanted.robot_id,
        next_secret=None if following is None else encode_base64url(following.secret),
    )
    return json.dumps(msgspec.to_builtins(form), indent=2).encode() + b"\n"


def _parse(path: Path, text: bytes) -> KeyFile:
    foreign = "move it away, and enrol the robot again, with a code that asks for approval"
    with suppress(msgspec.MsgspecError):
        version = msgspec.json.decode(text, type=dict[str, Any]).get("version")
        if isinstance(version, int) and version > FORM:
            raise KeyFileRefused(
                path, f"was written by a newer robosignal, as version {version}", "use that one"
            )
    try:
        form = msgspec.json.decode(text, type=_Form)
        next_secret = form.next_secret
        key = _key(form.secret)
        if key.kid != form.kid:
            raise KeyFileRefused(path, "is damaged: its key is not the one that it names", foreign)
        return KeyFile(
            path,
            form.url,
            key,
            form.created_at,
            None if form.robot_id is None else RobotId(form.robot_id),
            None if next_secret is None else _key(next_secret),
        )
    except (msgspec.MsgspecError, ValueError) as error:
        # Without its cause: a parser's text quotes what it fails on.
        raise KeyFileRefused(path, _describe(error), foreign) from None


def _describe(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        # Names a field and a type, and no value.
        return f"is no key file of a robot ({error})"
    return "is no key file of a robot"


def _key(secret: str) -> PrivateKey:
    return PrivateKey.from_secret(urlsafe_b64decode(secret + "="))


def _refuse(path: Path, error: OSError) -> KeyFileRefused:
    reason = error.strerror or type(error).__name__
    return KeyFileRefused(path, f"cannot be used ({reason})", "fix that, or name another file")


def _sync_directory(directory: Path) -> None:
    # A name is on disk when its directory is (fsync(2)).
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
