"""Claims are idempotent, keep the first owner, and survive the loss of a shard."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mega_data_factory import storage
from mega_data_factory.errors import OutputError, WorkerLostError
from mega_data_factory.framework.engines.local.claim_server import connect, serve
from mega_data_factory.framework.worker import claim_log
from mega_data_factory.framework.worker.claims import KEY_BYTES, OWNER_BYTES, ClaimShard
from tests.framework.making import MANY, claims_in


def key(number: int) -> bytes:
    return (number * 2654435761 % 2**32).to_bytes(4, "little") + number.to_bytes(KEY_BYTES - 4, "big")


def owner(number: int) -> bytes:
    return (number + 1).to_bytes(OWNER_BYTES, "big")


PAIRS = st.tuples(st.integers(0, 7), st.integers(0, 4))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.lists(PAIRS, max_size=6)),
        st.tuples(st.just("release"), st.lists(st.integers(0, 4), max_size=3)),
        st.tuples(st.just("restart"), st.binary(max_size=KEY_BYTES + OWNER_BYTES - 1)),
    ),
    max_size=20,
)


def answered_like(held: dict[int, int], shard: ClaimShard, verb: str, what: Any) -> dict[int, int]:
    """Make a claim or a release, which must answer as the dict of holders does; return the holders after it."""
    if verb == "claim":
        answer = shard.claim(b"".join(key(k) + owner(o) for k, o in what))
        assert list(answer) == [held.setdefault(k, o) == o for k, o in what]
        return held
    shard.release(b"".join(owner(o) for o in what))
    return {k: o for k, o in held.items() if o not in what}


@MANY
@given(STEPS)
def test_a_shard_behaves_like_a_dict_whenever_it_is_killed(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]]
) -> None:
    """Claims and releases answer as a dict would, over restarts and entries that were torn by the kill."""
    log = tmp_path_factory.mktemp("shard") / "log"
    shard, held = ClaimShard(log), dict[int, int]()
    for verb, what in steps:
        if verb in ("claim", "release"):
            held = answered_like(held, shard, verb, what)
        else:
            shard.close()
            with log.open("ab") as torn:
                torn.write(what)
            shard = ClaimShard(log)
    shard.close()
    again = ClaimShard(log)
    for k in range(8):
        holders = [o for o in range(5) if held.get(k) == o] or [0]
        assert again.claim(key(k) + owner(holders[0])) == b"\x01"
    again.close()


@MANY
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=40), st.integers(1, 5))
def test_the_number_of_shards_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, pairs: Sequence[tuple[int, int]], shards: int
) -> None:
    """One shard or many give the same answers, in the order of the keys."""
    keys, owners = [key(k) for k, _ in pairs], [owner(o) for _, o in pairs]
    folder = tmp_path_factory.mktemp("shards")
    with claims_in(folder / "one", 1) as one, claims_in(folder / "many", shards) as many:
        assert many.claim(keys, owners) == one.claim(keys, owners)
        assert many.claim(keys, owners) == one.claim(keys, owners)  # asking again changes nothing
        one.release(owners[:3])
        many.release(owners[:3])
        assert many.claim(keys[::-1], owners[::-1]) == one.claim(keys[::-1], owners[::-1])


def test_the_log_is_written_whole(tmp_path: Path) -> None:
    """A log whose writes are cut short by the system still gets every byte of every entry."""
    shard = ClaimShard(tmp_path / "log")
    file_log: Any = shard._log
    real = file_log._file

    class Short:
        def write(self, data: memoryview) -> int:
            return int(real.write(bytes(data[:7])))

        def close(self) -> None:
            real.close()

    file_log._file = Short()
    shard.claim(b"".join(key(k) + owner(k) for k in range(3)))
    shard.close()
    assert (tmp_path / "log").read_bytes() == b"".join(key(k) + owner(k) for k in range(3))


@pytest.fixture
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short path: the name of a Unix socket holds about a hundred characters."""
    return tmp_path_factory.mktemp("s") / "s"


def test_claims_over_a_socket(socket_path: Path) -> None:
    """A served shard answers claims and releases, also over a socket file that a killed one left behind."""
    socket_path.touch()
    server = threading.Thread(target=serve, args=(str(socket_path), f"{socket_path}.log"), daemon=True)
    server.start()
    claims = connect([str(socket_path)], patience=20)
    assert claims.claim([key(1), key(1), key(2)], [owner(1), owner(2), owner(2)]) == [True, False, True]
    claims.release([owner(1)])
    assert connect([str(socket_path)]).claim([key(1)], [owner(2)]) == [True]


def test_a_shard_that_stays_away_is_an_error(socket_path: Path) -> None:
    """Nobody waits for ever: a shard that does not come back within the patience is named as lost."""
    with pytest.raises(WorkerLostError, match="did not come back"):
        connect([str(socket_path)], patience=0.05)


def object_log() -> str:
    """The log of a shard in a store of its own."""
    return f"memory://claims-{uuid.uuid4().hex}/0.log"


@MANY
@given(STEPS)
def test_a_shard_in_an_object_store_behaves_like_a_dict(
    steps: list[tuple[str, Any]],
) -> None:
    """Claims and releases answer as a dict would, over restarts, and over merges of the objects of the log."""
    log = object_log()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claim_log, "MERGE_FROM", 3)
        shard, held = ClaimShard(log), dict[int, int]()
        for verb, what in steps:
            if verb in ("claim", "release"):
                held = answered_like(held, shard, verb, what)
            else:
                shard = ClaimShard(log)
        assert ClaimShard(log)._owners == {key(k): owner(o) for k, o in held.items()}


def test_objects_of_a_log_are_merged() -> None:
    """However many claims were made one by one, few objects hold them; a shard without claims has one."""
    log = object_log()
    shard = ClaimShard(log)
    assert len(storage.list_dir(log)) == 1
    for k in range(2 * claim_log.MERGE_FROM + 1):
        shard.claim(k.to_bytes(KEY_BYTES, "little") + owner(k % 9))
    assert len(storage.list_dir(log)) == 4
    assert ClaimShard(log)._owners == shard._owners


def test_a_claim_that_is_not_in_the_log_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the log cannot be written a claim fails, and is free for another owner when it can again."""
    log = object_log()
    shard = ClaimShard(log)
    with monkeypatch.context() as patch:
        patch.setattr(shard._log, "_write", raising(OutputError("no answer")))
        with pytest.raises(OutputError):
            shard.claim(key(1) + owner(1))
    assert shard.claim(key(1) + owner(2)) == b"\x01"
    assert ClaimShard(log)._owners == {key(1): owner(2)}


def raising(error: OutputError) -> Callable[..., Any]:
    def call(*_: bytearray) -> None:
        raise error

    return call
