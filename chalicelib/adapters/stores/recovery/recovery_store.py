"""Recovery codes, their readers, and how often codes were tried."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from chalicelib.adapters.stores import machine_rows, rows
from chalicelib.adapters.stores.notice_store import notice_item
from chalicelib.adapters.table import Item, Table, attempted
from chalicelib.domain.audit.notices import Notice
from chalicelib.domain.backups.machines import Machine
from chalicelib.domain.recovery.recovery import Reader, Recovery
from chalicelib.domain.recovery.tries import GUESSED_FROM, MAX_TRIES_AN_HOUR, hour_of, network_of

TRIES_KEPT = timedelta(hours=2)


class RecoveryStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def recovery(self, machine: str) -> Recovery | None:
        """The row; whether it counts for the machine that has the name now is ``Recovery.is_of``."""
        item = self._table.get("RECOVERIES", machine)
        return recovery_of(item) if item else None

    def recoveries(self, machines: Collection[str]) -> dict[str, Recovery]:
        """The rows, by machine; those without one are left out. No reads where there are no machines."""
        found = self._table.get_many([("RECOVERIES", machine) for machine in machines])
        return {machine: recovery_of(item) for (_, machine), item in found.items()}

    def with_machine(self, name: str) -> tuple[Machine | None, Recovery | None]:
        keys = ("MACHINES", name), ("RECOVERIES", name)
        found = self._table.get_many(keys)
        machine, recovery = (found.get(key) for key in keys)
        return machine_rows.machine_of(machine) if machine else None, recovery_of(
            recovery
        ) if recovery else None

    def create(self, recovery: Recovery, machine: Machine) -> bool:
        """False if the machine has a code that counts already."""
        since = rows.format_instant(machine.created_at)
        condition = "attribute_not_exists(pk) OR made_at < :since"
        return attempted(self._table.put, recovery_item(recovery), condition, {":since": since})

    def replace(self, recovery: Recovery) -> None:
        """Instead of any other of its machine, whose readers end."""
        self._table.put(recovery_item(recovery))

    def end(self, machine: str) -> None:
        """The machine has no code then, and its readers are refused."""
        self._table.delete("RECOVERIES", machine)

    def use(self, used: Recovery, known: Recovery, notice: Notice) -> bool:
        """Stores a use together with the notice of it: there is no reader that the owner does not hear of. False where
        ``known`` is not the row now."""
        puts = [recovery_put(used, known), (notice_item(notice), None, {})]
        return attempted(self._table.put_all_or_none, puts)

    # ------------------------------------------------------------ tries

    def count_try(self, address: str, now: datetime) -> bool:
        """Counts one before its code is looked at, as tries come side by side; false beyond ``MAX_TRIES_AN_HOUR``."""
        return self._count(network_of(address), 1, MAX_TRIES_AN_HOUR, now)

    def give_back_try(self, address: str, now: datetime) -> None:
        self._count(network_of(address), -1, MAX_TRIES_AN_HOUR, now)

    def count_wrong(self, machine: str, now: datetime) -> bool:
        """Counts a wrong code for a machine of that name; false from the hour's ``GUESSED_FROM``-th on."""
        return self._count(f"of {machine}", 1, GUESSED_FROM - 1, now)

    def _count(self, whose: str, tries: int, at_most: int, now: datetime) -> bool:
        key, expires_at = (f"RECOVERY_TRIES#{hour_of(now)}", whose), int((now + TRIES_KEPT).timestamp())
        changes = {"expires_at_epoch": expires_at}
        return attempted(self._table.add, *key, "tries", tries, at_most=at_most, changes=changes)


def recovery_put(changed: Recovery, known: Recovery) -> tuple[Item, str, Item]:
    """For a transaction: stores ``changed`` where the row is still ``known``."""
    condition = "code_sha256 = :code AND uses = :uses AND thawed_bytes = :thawed"
    values = {":code": known.code_sha256, ":uses": known.uses, ":thawed": known.thawed_bytes}
    return recovery_item(changed), condition, values


def recovery_item(recovery: Recovery) -> Item:
    return rows.new_row(
        "RECOVERIES",
        recovery.machine,
        code_sha256=recovery.code_sha256,
        made_at=rows.format_instant(recovery.made_at),
        last_group=recovery.last_group,
        readers=[_reader_map(reader) for reader in recovery.readers],
        uses=recovery.uses,
        thawed_bytes=recovery.thawed_bytes,
    )


def _reader_map(reader: Reader) -> Item:
    return {
        "secret_sha256": reader.secret_sha256,
        "made_at": rows.format_instant(reader.made_at),
        "until": rows.format_instant(reader.until),
        "address": reader.address,
    }


def recovery_of(item: Item) -> Recovery:
    return Recovery(
        machine=item["sk"],
        code_sha256=item["code_sha256"],
        made_at=rows.instant_in(item, "made_at"),
        last_group=item["last_group"],
        readers=tuple(map(_reader_of, item["readers"])),
        uses=int(item["uses"]),
        thawed_bytes=int(item["thawed_bytes"]),
    )


def _reader_of(fields: Item) -> Reader:
    made_at, until = (rows.instant_of(fields[name]) for name in ("made_at", "until"))
    return Reader(fields["secret_sha256"], made_at, until, fields["address"])
