import json
import logging

from shop_hub.core.logs import JsonFormatter


def line(message: str, **extra: object) -> dict:
    record = logging.makeLogRecord({"name": "shop", "levelname": "INFO", "msg": message, **extra})
    return json.loads(JsonFormatter().format(record))


def test_tokens_codes_and_mail_addresses_are_blacked_out() -> None:
    found = line("token D1PABCDEFGHIJKLMNOPQRSTUVWXYZ2 code 48291734 to eva@dorf.example")
    assert found["message"] == "token … code … to …"


def test_fields_that_name_a_secret_or_a_person_are_blacked_out() -> None:
    found = line("refused", pin="1234", card="x", email="y", error="sold-out", sale=7)
    assert {key: found[key] for key in ("pin", "card", "email", "error", "sale")} == {
        "pin": "…",
        "card": "…",
        "email": "…",
        "error": "sold-out",
        "sale": 7,
    }
