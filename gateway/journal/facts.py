"""What a hub knows and decided: facts per charger, stored answers, acknowledgements, committed as one."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.journal import keys, ringing
from gateway.journal.connection import Argument
from gateway.journal.entry import Dead, Entry
from gateway.journal.errors import UnsafeStore
from gateway.journal.letters import letter_fields
from gateway.journal.packed import pack, place
from gateway.journal.reply import Reply
from gateway.journal.store import Store

FORMAT = 1
"""Number of the format of facts, the first byte of each stored value; anything newer is refused."""

_PREFIX = bytes([FORMAT])
_ANSWERED = b"0-0 0 "
"""Stands before a stored answer, where id and tx of the message were: nobody needs those any more (append.lua)."""


class Commit(msgspec.Struct):
    """Everything that becomes true together. All chargers are of the partition that it is committed to."""

    facts: dict[tuple[str, str], bytes | None] = {}
    """(charger, field) -> value; None removes the field. Fields: `shared`, `link:<upstream>`, `terms`, `shadow`. The charger
    without a name stands for the partition itself, with `shadow:<charger>`."""
    answers: list[tuple[str, str, bytes]] = []
    """(charger, `Head.dedup` of the message, CALLRESULT payload): what a retry is answered. Lives as long as the
    dedup key; ignored when that is gone."""
    acks: dict[str, list[str]] = {}
    """Group -> ids of the entries that it has done with."""
    passed: dict[str, tuple[str, list[str]]] = {}
    """Group -> (id up to which it need not read, because the entries were handed over; those of them that it has not
    done with, which go to its pending list)."""
    parks: dict[tuple[str, str], list[Entry]] = {}
    """(upstream, charger) -> entries to park; acknowledge those that came from the group as well."""
    unparks: dict[tuple[str, str], list[str]] = {}
    """(upstream, charger) -> ids of parked entries that are done with."""
    dead: list[Dead] = []
    """Entries that become dead letters."""


class Facts:
    """Part of Journal."""

    _store: Store
    _reset: Callable[[int, str], None]

    def commit(self, partition: int, token: int, commit: Commit) -> Reply[None]:
        """Stores a decision in one transaction under the partition's lease.

        Raises in the future Fenced (nothing was stored) and StoreDown (outcome unknown; committing again is harmless).
        """
        made: list[str] = [keys.lease(partition), keys.stream(partition)]
        sets: list[Argument] = []
        deletes: list[Argument] = []
        gone: list[str] = []
        for (charger, field), value in commit.facts.items():
            key = keys.facts(partition, charger)
            if value is None:
                gone.append(key)
                deletes.append(field)
            else:
                made.append(key)
                sets += (field, _PREFIX + value)
        made += gone
        args: list[Argument] = [token, len(commit.passed)]
        for group, (id, open) in commit.passed.items():
            args += (group, id, len(open), *open)
        passed = len(args)
        args += (len(sets) // 2, *sets, len(deletes), *deletes, len(commit.answers))
        for charger, dedup, payload in commit.answers:
            made.append(keys.dedup(partition, charger) + dedup)
            args.append(_ANSWERED + payload)
        moves: list[Argument] = [0]
        if commit.parks or commit.unparks or commit.dead:
            moves = _moves(partition, commit, made)
        args += moves
        decided = len(args)
        for group, ids in commit.acks.items():
            if ids:
                args += (group, len(ids), *ids)

        def done(recreated: list[bytes]) -> None:
            for group in recreated:
                self._reset(partition, group.decode())

        if (ring := self._store.ring) is not None:
            again = [token, 0, *args[passed:decided]]
            return ringing.commit(self._store, ring, partition, tuple(made), args, again, commit, done)
        return self._store.gather("commit", tuple(made), args, done)

    async def stored_answer(self, partition: int, charger: str, dedup: str) -> bytes:
        """The CALLRESULT payload that a retry of this message (`Head.dedup`) is answered; empty: none is stored. Raises StoreDown."""
        known = await self._store.call("GET", keys.dedup(partition, charger) + dedup)
        return bytes(known.split(b" ", 2)[2]) if known else b""

    async def load_facts(self, partition: int, charger: str) -> dict[str, bytes]:
        """All facts of a charger by field; empty if nothing is known.

        Raises StoreDown, and UnsafeStore when a newer release wrote them.
        """
        reply = await self._store.call("HGETALL", keys.facts(partition, charger))
        found = {}
        for field, value in zip(reply[::2], reply[1::2], strict=True):
            if value[0] > FORMAT:
                raise UnsafeStore(
                    f"the facts of {charger} ({field.decode()}) have format {value[0]}, "
                    f"this release reads up to {FORMAT}: run the release that wrote them, or a newer one"
                )
            found[field.decode()] = value[1:]
        return found


def _moves(partition: int, commit: Commit, made: list[str]) -> list[Argument]:
    """What is parked, unparked and made a dead letter, for the script; its keys go to the end of `made`."""
    moves: list[Argument] = [len(commit.parks) + len(commit.unparks) + len(commit.dead)]
    index = keys.parked_index(partition)
    for (upstream, charger), entries in commit.parks.items():
        made += (keys.parked(partition, upstream, charger), index)
        moves += ("park", f"{upstream}\n{keys.fold(charger)}", len(entries), *map(pack, entries))
    for (upstream, charger), ids in commit.unparks.items():
        made += (keys.parked(partition, upstream, charger), index)
        moves += ("unpark", f"{upstream}\n{keys.fold(charger)}", len(ids), *map(place, ids))
    for dead in commit.dead:
        made += (keys.dead_letters(partition, dead.upstream), keys.dead_letter_index(partition))
        fields = letter_fields(dead)
        moves += ("dead", dead.upstream, len(fields), *fields)
    return moves
