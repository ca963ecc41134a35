"""The DynamoDB table, with the operations that the stores need.

Values are plain Python; boto3's resource client converts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

Item = dict[str, Any]


class ConditionFailed(Exception):
    """Somebody else wrote first, or the row is not what the write was meant for."""


def attempted(write: Callable[..., None], *arguments: Any, **options: Any) -> bool:
    """Does a conditional write; false if its condition did not hold."""
    try:
        write(*arguments, **options)
    except ConditionFailed:
        return False
    return True


class Table:
    """``client`` is the client of a boto3 DynamoDB *resource*: that one takes and gives plain values."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def get(self, pk: str, sk: str) -> Item | None:
        answer = self._client.get_item(TableName=self._name, Key={"pk": pk, "sk": sk}, ConsistentRead=True)
        item: Item | None = answer.get("Item")
        return item

    def get_many(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        """Consistent; keys that are not there are left out. Any number of keys, 100 a request."""
        found: dict[tuple[str, str], Item] = {}
        waiting = [{"pk": pk, "sk": sk} for pk, sk in dict.fromkeys(keys)]
        while waiting:
            request = {"Keys": waiting[:100], "ConsistentRead": True}
            answer = self._client.batch_get_item(RequestItems={self._name: request})
            for item in answer["Responses"][self._name]:
                found[item["pk"], item["sk"]] = item
            left_over = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
            waiting = left_over + waiting[100:]
        return found

    def query_between(self, pk: str, first: str, last: str) -> Iterator[Item]:
        """The rows of a partition with ``first <= sk <= last``, all pages, consistent."""
        condition = "pk = :pk AND sk BETWEEN :first AND :last"
        values = {":pk": pk, ":first": first, ":last": last}
        return self._pages({"KeyConditionExpression": condition, "ExpressionAttributeValues": values})

    def query(
        self, pk: str, sk_prefix: str = "", *, newest_first: bool = False, consistent: bool = True
    ) -> Iterator[Item]:
        """The rows of a partition in the order of ``sk``, all pages. What is not read consistently costs half, and may
        lack the last second's writes."""
        arguments: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": pk},
            "ScanIndexForward": not newest_first,
        }
        if sk_prefix:
            arguments["KeyConditionExpression"] += " AND begins_with(sk, :sk)"
            arguments["ExpressionAttributeValues"][":sk"] = sk_prefix
        return self._pages(arguments, consistent)

    def _pages(self, arguments: dict[str, Any], consistent: bool = True) -> Iterator[Item]:
        arguments.update(TableName=self._name, ConsistentRead=consistent)
        while True:
            answer = self._client.query(**arguments)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def put(self, item: Item, condition: str | None = None, values: Item | None = None) -> None:
        """Raises ``ConditionFailed``."""
        arguments: dict[str, Any] = {"TableName": self._name, "Item": item}
        _add_condition(arguments, condition, values)
        self._call(self._client.put_item, arguments)

    def update(
        self,
        pk: str,
        sk: str,
        changes: Item,
        *,
        condition: str | None = None,
        values: Item | None = None,
        names: dict[str, str] | None = None,
    ) -> None:
        """Sets the fields of ``changes`` (``None`` removes one); raises ``ConditionFailed``. ``names`` stand in the
        condition for fields whose own names DynamoDB reserves."""
        kept = {name: value for name, value in changes.items() if value is not None}
        removed = [name for name, value in changes.items() if value is None]
        parts = []
        if kept:
            parts.append("SET " + ", ".join(f"#{name} = :new_{name}" for name in kept))
        if removed:
            parts.append("REMOVE " + ", ".join(f"#{name}" for name in removed))
        arguments: dict[str, Any] = {
            "TableName": self._name,
            "Key": {"pk": pk, "sk": sk},
            "UpdateExpression": " ".join(parts),
            "ExpressionAttributeNames": {**{f"#{name}": name for name in changes}, **(names or {})},
        }
        _add_condition(arguments, condition, {**{f":new_{n}": v for n, v in kept.items()}, **(values or {})})
        self._call(self._client.update_item, arguments)

    def add(
        self,
        pk: str,
        sk: str,
        field: str,
        amount: int,
        *,
        at_most: int,
        also: Sequence[str] = (),
        must_exist: bool = False,
        changes: Item | None = None,
    ) -> None:
        """Adds to a counter, from zero if there is none; raises ``ConditionFailed`` beyond ``at_most``.

        ``also`` are fields of the row that get the same amount, ``changes`` such that are set. ``must_exist``: makes no
        row, and raises.
        """
        names = {"#field": field, **{f"#also{index}": name for index, name in enumerate(also)}}
        update, changed = "ADD " + ", ".join(f"{name} :amount" for name in names), changes or {}
        if changed:
            update += " SET " + ", ".join(f"#{name} = :new_{name}" for name in changed)
        arguments: dict[str, Any] = {
            "TableName": self._name,
            "Key": {"pk": pk, "sk": sk},
            "UpdateExpression": update,
            "ExpressionAttributeNames": {**names, **{f"#{name}": name for name in changed}},
        }
        condition = "attribute_not_exists(#field) OR #field <= :limit"
        if must_exist:
            condition = f"attribute_exists(pk) AND ({condition})"
        values = {f":new_{name}": value for name, value in changed.items()}
        _add_condition(arguments, condition, {":amount": amount, ":limit": at_most - amount, **values})
        if amount > at_most:
            raise ConditionFailed
        self._call(self._client.update_item, arguments)

    def delete(self, pk: str, sk: str, condition: str | None = None, values: Item | None = None) -> None:
        arguments: dict[str, Any] = {"TableName": self._name, "Key": {"pk": pk, "sk": sk}}
        _add_condition(arguments, condition, values)
        self._call(self._client.delete_item, arguments)

    def put_all_or_none(self, puts: Sequence[tuple[Item, str | None, Item]]) -> None:
        """Up to 100 puts ``(item, condition, values)`` in one transaction; a condition may be ``None``."""
        actions = []
        for item, condition, values in puts:
            put: dict[str, Any] = {"TableName": self._name, "Item": item}
            _add_condition(put, condition, values)
            actions.append({"Put": put})
        self._call(self._client.transact_write_items, {"TransactItems": actions})

    @staticmethod
    def _call(method: Any, arguments: dict[str, Any]) -> None:
        try:
            method(**arguments)
        except ClientError as error:
            failed = ("ConditionalCheckFailedException", "TransactionCanceledException")
            if error.response["Error"]["Code"] in failed:
                raise ConditionFailed from error
            raise


def _add_condition(arguments: dict[str, Any], condition: str | None, values: Item | None) -> None:
    if condition is not None:
        arguments["ConditionExpression"] = condition
    if values:
        arguments["ExpressionAttributeValues"] = values
