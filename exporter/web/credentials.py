"""Basic authentication against bcrypt hashes, as Prometheus's exporter-toolkit does it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import bcrypt

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_VERIFIED = 128
MAX_WAITING = 16
_BCRYPT_BYTES = 72
"""bcrypt looks at no more of a password, and the library refuses longer ones where Go's cuts them."""


class TooManyComparisonsError(Exception):
    """More passwords wait to be compared than is sensible."""


class Credentials:
    """Users and their bcrypt hashes, with those passwords remembered that were right.

    A comparison costs a good part of a second on purpose. One thread makes them, so that guessing takes one core at
    most; a remembered password does not wait for it. What is remembered is a digest under a key that lives as long as
    the process, never the password.
    """

    def __init__(self, users: Mapping[str, bytes]) -> None:
        self._users = dict(users)
        self._key = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, None] = OrderedDict()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="web-auth")
        self._waiting = 0

    def replace(self, users: Mapping[str, bytes]) -> None:
        """Take up other users; a password that was right is compared again."""
        self._users = dict(users)
        self._verified.clear()

    @property
    def required(self) -> bool:
        """There are users, so that a request needs one."""
        return bool(self._users)

    async def accept(self, authorization: str | None) -> bool:
        """Tell whether an Authorization header names a user with the right password.

        Raises TooManyComparisonsError when it is one too many to find out.
        """
        parsed = _parse(authorization)
        if parsed is None:
            return False
        user, password = parsed
        known = user in self._users
        # An unknown user costs as much as a known one, or else the time would tell them apart.
        hashed = self._users[user] if known else next(iter(self._users.values()))
        digest = self._digest(user.encode("utf-8", "surrogateescape"), hashed, password)
        if digest in self._verified:
            self._verified.move_to_end(digest)
            return True
        right = await self._compare(password, hashed)
        if not (known and right):
            return False
        self._verified[digest] = None
        if len(self._verified) > MAX_VERIFIED:
            self._verified.popitem(last=False)
        return True

    def close(self) -> None:
        """Give the thread back; comparisons that wait are cancelled."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _compare(self, password: bytes, hashed: bytes) -> bool:
        if self._waiting >= MAX_WAITING:
            raise TooManyComparisonsError(f"{self._waiting} passwords already wait to be compared")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, _check, password, hashed)
        finally:
            self._waiting -= 1

    def _digest(self, *parts: bytes) -> bytes:
        state = hashlib.blake2b(key=self._key)
        for part in parts:
            state.update(len(part).to_bytes(8, "big") + part)
        return state.digest()


def _check(password: bytes, hashed: bytes) -> bool:
    return bcrypt.checkpw(password[:_BCRYPT_BYTES], hashed)


def _parse(authorization: str | None) -> tuple[str, bytes] | None:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    user, colon, password = decoded.partition(b":")
    return (user.decode("utf-8", "surrogateescape"), password) if colon else None
