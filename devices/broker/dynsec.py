"""mosquitto's dynamic-security plugin: accounts come and go while the broker runs, told over MQTT itself.

One administrator account may do nothing but this. Each account of ours is a client with a role of its own; its
description carries a fingerprint, by which a later run sees what has to be changed. Others' clients stay as they are.
"""

import hashlib
import json
import queue
from collections.abc import Iterator, Sequence
from typing import Any, Self

from devices.broker.accounts import Account, rights
from devices.broker.directory import BrokerError, Directory
from devices.broker.mosquitto import ITERATIONS, salted
from devices.protocol.bus import Bus, BusConfig, Incoming, NotConnectedError

CONTROL = "$CONTROL/dynamic-security/v1"
ADMIN = "hub-admin"
_ANSWER = f"{CONTROL}/response"
_OURS = "shop-hub "
_WAIT_S = 5.0
_PAGE = 100
_THERE = frozenset({"Role already exists", "Client already exists"})
_NO_HARM = _THERE | {"", "Role not found", "Client not found"}
"""What the broker says to something that was begun before and is done again."""
_AT_ONCE = 10
"""Commands in one message: with the rights of a hub of a hundred sites it stays below 64 kB."""

_SEND, _RECEIVE, _SUBSCRIBE = "publishClientSend", "publishClientReceive", "subscribePattern"

Json = dict[str, Any]


class DynamicSecurity(Directory):
    """The accounts of a running broker; `config` signs its administrator in, only for as long as it takes."""

    def __init__(self, config: BusConfig) -> None:
        self._config = config

    def put(self, accounts: Sequence[Account]) -> None:
        """Compare and change what differs: first those who lose something.

        Raises:
            BrokerError: the broker was not reached, did not answer, or refused.
        """
        with self.talk() as broker:
            known = dict(broker.clients())
            wanted = {account.user for account in accounts}
            broker.tell([command for user in known if user not in wanted for command in _remove(user)])
            fresh = [account for account in accounts if account.user not in known]
            stopped = broker.tell([command for account in fresh for command in _enter(account)])
            other = {user for user in known if user in wanted} | stopped
            differing = [a for a in accounts if a.user in other and known.get(a.user) != fingerprint(a)]
            broker.tell([command for account in differing for command in _change(account)])

    def talk(self) -> "Conversation":
        """Return a conversation with the plugin, for a `with` block."""
        return Conversation(self._config)


def first_file(accounts: Sequence[Account], admin: Account) -> str:
    """Return the plugin's file as a broker needs it at its very first start; from then on the broker keeps it."""
    return json.dumps(
        {
            "defaultACLAccess": {_SEND: False, _RECEIVE: False, "subscribe": False, "unsubscribe": True},
            "clients": [_with_password(_client(account), account) for account in accounts]
            + [_with_password({"username": admin.user, "roles": [{"rolename": admin.user}]}, admin)],
            "roles": [_role(account) for account in (admin, *accounts)],
        },
        indent=1,
    )


def fingerprint(account: Account) -> str:
    """Return a word that is another one as soon as password or rights are others; it tells nothing about them."""
    content = json.dumps([account.password, _role(account)])
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _enter(account: Account) -> list[Json]:
    """Return the commands for a new account: few, as the plugin writes its whole file after each."""
    return [
        {"command": "createRole", **_role(account)},
        {"command": "createClient", **_client(account), "password": account.password},
    ]


def _change(account: Account) -> list[Json]:
    """Return the commands that make an account as it should be; its fingerprint comes last, so none is left half."""
    return [
        {"command": "modifyRole", **_role(account)},
        {"command": "setClientPassword", "username": account.user, "password": account.password},
        {"command": "modifyClient", **_client(account)},
    ]


def _user(command: Json) -> str:
    return str(command.get("username") or command["rolename"])


def _remove(user: str) -> list[Json]:
    return [{"command": "deleteClient", "username": user}, {"command": "deleteRole", "rolename": user}]


def _client(account: Account) -> Json:
    return {
        "username": account.user,
        "textdescription": _OURS + fingerprint(account),
        "roles": [{"rolename": account.user}],
    }


def _role(account: Account) -> Json:
    allowed = rights(account)
    acls = [_acl(_SEND, mqtt_filter) for mqtt_filter in allowed.write]
    acls += [_acl(kind, mqtt_filter) for mqtt_filter in allowed.read for kind in (_RECEIVE, _SUBSCRIBE)]
    return {"rolename": account.user, "acls": acls}


def _acl(kind: str, mqtt_filter: str) -> Json:
    return {"acltype": kind, "topic": mqtt_filter, "allow": True}


def _with_password(client: Json, account: Account) -> Json:
    salt, digest = salted(account)
    return {**client, "password": digest, "salt": salt, "iterations": ITERATIONS}


class Conversation:
    """Commands and answers over one short connection."""

    def __init__(self, config: BusConfig) -> None:
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._bus = Bus(config)
        self._bus.subscribe(_ANSWER, self._heard)

    def __enter__(self) -> Self:
        self._bus.start()
        if not self._bus.wait_connected(_WAIT_S):
            self._bus.stop()
            raise BrokerError("the broker's administrator was not let in")
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.stop()

    def clients(self) -> Iterator[tuple[str, str]]:
        """Yield user and fingerprint of our clients."""
        offset, total = 0, 1
        while offset < total:
            ask = {"command": "listClients", "verbose": True, "count": _PAGE, "offset": offset}
            data = self._ask([ask])[0].get("data", {})
            for client in data.get("clients", []):
                text = client.get("textdescription", "")
                if text.startswith(_OURS):
                    yield client["username"], text.removeprefix(_OURS)
            offset, total = offset + _PAGE, data.get("totalCount", 0)

    def tell(self, commands: Sequence[Json]) -> set[str]:
        """Have commands carried out in their order; return the users of which something was there already."""
        there = set()
        for start in range(0, len(commands), _AT_ONCE):
            some = commands[start : start + _AT_ONCE]
            answers = zip(some, self._ask(some), strict=True)
            there |= {_user(command) for command, answer in answers if answer.get("error") in _THERE}
        return there

    def _ask(self, commands: Sequence[Json]) -> list[Json]:
        try:
            self._bus.publish(CONTROL, json.dumps({"commands": commands}), qos=1)
            answers: list[Json] = json.loads(self._answers.get(timeout=_WAIT_S))["responses"]
        except (NotConnectedError, queue.Empty) as error:
            raise BrokerError("the broker does not answer its administrator") from error
        for answer in answers:
            if answer.get("error", "") not in _NO_HARM:
                raise BrokerError(f"{answer.get('command')}: {answer['error']}")
        return answers

    def _heard(self, message: Incoming) -> None:
        self._answers.put(message.payload)
