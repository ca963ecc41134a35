"""Groups of machines in the table; which machines are in one, their own rows say."""

from __future__ import annotations

from chalicelib.adapters.stores import machine_rows, rows
from chalicelib.adapters.table import Item, Table, attempted
from chalicelib.domain.backups.storage import StoragePolicy
from chalicelib.domain.fleet.group import MachineGroup

GROUPS = "GROUPS"


class GroupStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def group(self, name: str) -> MachineGroup | None:
        item = self._table.get(GROUPS, name)
        return _group_of(item) if item else None

    def groups(self) -> list[MachineGroup]:
        return [_group_of(item) for item in self._table.query(GROUPS)]

    def create(self, group: MachineGroup) -> bool:
        """False if there is one of that name already."""
        return attempted(self._table.put, _group_item(group), "attribute_not_exists(pk)")

    def change(self, before: MachineGroup, after: MachineGroup) -> bool:
        """Writes what differs. False where the group was removed."""
        changes = machine_rows.changes_between(_group_item(before), _group_item(after))
        condition = "attribute_exists(pk)"
        return not changes or attempted(self._table.update, GROUPS, after.name, changes, condition=condition)

    def remove(self, name: str) -> None:
        self._table.delete(GROUPS, name)


def _group_item(group: MachineGroup) -> Item:
    return rows.new_row(
        GROUPS,
        group.name,
        created_at=rows.format_instant(group.created_at),
        period_seconds=group.period_seconds,
        grace_seconds=group.grace_seconds,
        archive_class=group.storage.archive_class if group.storage else None,
        archive_after_days=group.storage.archive_after_days if group.storage else None,
        retention=machine_rows.retention_map(group.retention) if group.retention else None,
        thaw_budget_usd=group.thaw_budget_usd,
        owner_mail=group.owner_mail,
    )


def _group_of(item: Item) -> MachineGroup:
    has_storage = "archive_class" in item
    return MachineGroup(
        item["sk"],
        rows.instant_in(item, "created_at"),
        rows.integer_of(item.get("period_seconds")),
        rows.integer_of(item.get("grace_seconds")),
        StoragePolicy(item["archive_class"], int(item["archive_after_days"])) if has_storage else None,
        machine_rows.retention_of(item["retention"]) if "retention" in item else None,
        item.get("thaw_budget_usd"),
        item.get("owner_mail"),
    )
