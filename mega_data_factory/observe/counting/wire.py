"""Accounts as bytes, as lines of a file, and as text in JSON.

The fields are written out for both ways: looked up by their names, each account would take thousands of instructions
more.
"""

from __future__ import annotations

import binascii
import marshal
from zlib import crc32

from mega_data_factory.framework.metrics.details import kinds
from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.counting.set_aside import SetAside


def to_bytes(account: Account) -> bytes:
    """Return an account as bytes; its numbers must be Python's own.

    A worker does this at every call of a step: `marshal` takes a fifth of the time of JSON, and, unlike pickle,
    calls nothing. What few accounts have is left out where it is empty.
    """
    rest = None
    if (
        account.created_records
        or account.error_count
        or account.input_bytes
        or account.output_bytes
        or account.input_tokens
        or account.output_tokens
        or account.unknown
        or account.custom
        or account.content
        or account.rejects
        or account.set_aside
        or account.details
    ):
        rest = (
            account.created_records,
            account.error_count,
            account.input_bytes,
            account.output_bytes,
            account.input_tokens,
            account.output_tokens,
            account.unknown,
            account.custom,
            account.content,
            account.rejects,
            [(s.reason, s.content, s.kind, s.record_id, s.score, s.threshold, s.rank) for s in account.set_aside],
            kinds.to_wire(account.details) if account.details else None,
        )
    return marshal.dumps(
        (
            (account.step, account.worker, account.key, account.attempt, account.engine, account.at, account.final),
            account.input_records,
            account.output_records,
            account.rejected_records,
            account.calls,
            account.seconds,
            account.cpu_seconds,
            account.least,
            account.most,
            account.reasons,
            account.histogram,
            rest,
        ),
        MARSHAL_VERSION,
    )


def from_bytes(content: bytes) -> Account:
    """Return the account that `to_bytes` was called on: nothing else may be given (see `to_line`)."""
    names, *numbers, rest = marshal.loads(content)  # noqa: S302 - bytes that this run has made
    account = Account(*names)
    (
        account.input_records,
        account.output_records,
        account.rejected_records,
        account.calls,
        account.seconds,
        account.cpu_seconds,
        account.least,
        account.most,
        account.reasons,
        account.histogram,
    ) = numbers
    if rest is not None:
        (
            account.created_records,
            account.error_count,
            account.input_bytes,
            account.output_bytes,
            account.input_tokens,
            account.output_tokens,
            account.unknown,
            account.custom,
            account.content,
            account.rejects,
            set_aside,
            details,
        ) = rest
        account.set_aside = [SetAside(*values) for values in set_aside]
        if details is not None:
            account.details = kinds.from_wire(details)
    return account


def to_line(account: Account) -> bytes:
    """Return an account as bytes without an end of a line in them, for a file of accounts.

    They begin with a checksum. The byte of a line's end, and the one that stands for it, are escaped: Base64 would
    take three times the instructions, at every call of a step.
    """
    content = to_bytes(account)
    return (crc32(content).to_bytes(4, "little") + content).replace(b"\x10", b"\x10\x11").replace(b"\n", b"\x10\x12")


def from_line(line: bytes) -> Account:
    """Return the account that `to_line` was called on; the end of the line must not be there.

    Raises:
        ValueError: it is not a whole account.
    """
    return _checked(line.replace(b"\x10\x12", b"\n").replace(b"\x10\x11", b"\x10"))


def to_text(account: Account) -> str:
    """Return an account as ASCII, for files of JSON."""
    content = to_bytes(account)
    return binascii.b2a_base64(crc32(content).to_bytes(4, "little") + content, newline=False).decode()


def from_text(text: str) -> Account:
    """Return the account that `to_text` was called on.

    Raises:
        ValueError: it is not a whole account.
    """
    return _checked(binascii.a2b_base64(text))


def _checked(content: bytes) -> Account:
    if crc32(content[4:]).to_bytes(4, "little") != content[:4]:
        raise ValueError("not an account: its checksum is wrong")
    return from_bytes(content[4:])


MARSHAL_VERSION = 2
"""Format without references to values that come twice, which cost more to find than to write again."""
