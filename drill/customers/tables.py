"""A DynamoDB table: items put, counted up, deleted."""

from __future__ import annotations

from customer import Customer
from ledger import Register

TABLE = "drill-table"
KEYS = 60


class Tables(Customer):
    def prepare(self) -> None:
        self.dynamodb = self.twin.table(TABLE)
        self.items = {f"i{number}": Register(0) for number in range(KEYS)}  # 0: absent

    def step(self) -> None:
        key = self.chance.choice(list(self.items))
        self.chance.choices([self._put, self._count, self._delete], [3, 5, 1])[0](key)

    def audit(self) -> None:
        for key, register in self.items.items():
            item = self.dynamodb.get_item(TableName=TABLE, Key=_key(key), ConsistentRead=True).get("Item")
            found = int(item["value"]["N"]) if item else 0
            expected = set(register.possible)
            self.ledger.check(
                self.name, register.read(found), "lost", f"{TABLE} {key} holds {found}, may hold {expected}"
            )

    def _put(self, key: str) -> None:
        value = self.chance.randrange(1, 1000)
        with self.items[key].write(value):
            self.ack(self.dynamodb.put_item(TableName=TABLE, Item={**_key(key), "value": {"N": str(value)}}))

    def _count(self, key: str) -> None:
        register = self.items[key]
        if len(register.possible) != 1:
            return  # the next put tells
        (value,) = register.possible
        with register.write(value + 1):
            self.ack(
                self.dynamodb.update_item(
                    TableName=TABLE, Key=_key(key), UpdateExpression="ADD #v :one",
                    ExpressionAttributeNames={"#v": "value"}, ExpressionAttributeValues={":one": {"N": "1"}},
                )
            )  # fmt: skip

    def _delete(self, key: str) -> None:
        with self.items[key].write(0):
            self.ack(self.dynamodb.delete_item(TableName=TABLE, Key=_key(key)))


def _key(key: str) -> dict[str, dict[str, str]]:
    return {"id": {"S": key}}
