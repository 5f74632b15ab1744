"""The bare twin: the same two requests with the same statements on the same tables, in Flask and sqlite3 alone.

Written the way one would without a framework around it: one kept connection per thread, `?` parameters, no layers. It
keeps every promise of the statements (token, idempotency record, counted attempts, lots, double entry, gapless number,
durable commit), but none of the hub's others: no roles, no deny by default, no models, no security headers.
"""

import hashlib
import hmac
import json
import sqlite3
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, Response, jsonify, request

TOKEN = """
SELECT id, site_id, subject_id, data FROM token
WHERE hash = ? AND purpose = 'D1T' AND state IN ('issued', 'claimed') AND (expires_at IS NULL OR expires_at > ?)
"""
ANSWERED = 'SELECT request_hash, status, headers, body FROM idempotency_record WHERE scope = ? AND "key" = ?'
OWNER = """
SELECT token.id, person.id, person.public_id, person.age_level, person.pin_hash
FROM token JOIN person ON person.id = token.subject_id
WHERE hash = ? AND purpose = 'D1M' AND state IN ('issued', 'claimed') AND (expires_at IS NULL OR expires_at > ?)
AND NOT person.is_blocked
"""
BLOCKED = """
SELECT scope, blocked_until FROM attempt
WHERE (scope = 'card-pin' AND "key" = ? OR scope = 'card-pin-day' AND "key" = ? OR scope = 'pad-pin' AND "key" = ?)
AND blocked_until > ?
"""
PRODUCTS = """
SELECT product_code.code, product.id, product.public_id, product.name, product.name_en, product.unit,
product.content_milli, product.content_unit, product.drained_milli, product.min_age, product.deposit_type_id,
product.contains_pieces, product.group_id,
product_group.key AS group_key, deposit_type.kind, contained.deposit_type_id AS contained_type,
product_code.quantity_milli,
(SELECT cents FROM price WHERE product_id = product.id AND site_id = ? AND valid_from <= ?
 ORDER BY valid_from DESC, id DESC LIMIT 1) AS price_cents,
(SELECT permille FROM vat_rate WHERE vat_class = product.vat_class AND valid_from <= ?
 ORDER BY valid_from DESC LIMIT 1) AS vat_permille,
(SELECT cents FROM deposit_rate WHERE deposit_type_id = product.deposit_type_id AND valid_from <= ?
 ORDER BY valid_from DESC LIMIT 1) AS deposit_cents,
(SELECT cents FROM deposit_rate WHERE deposit_type_id = contained.deposit_type_id AND valid_from <= ?
 ORDER BY valid_from DESC LIMIT 1) AS contained_cents
FROM product_code JOIN product ON product.id = product_code.product_id AND product.is_active
JOIN product_group ON product_group.id = product.group_id
LEFT JOIN deposit_type ON deposit_type.id = product.deposit_type_id
LEFT JOIN product AS contained ON contained.id = product.contains_id
WHERE product_code.template = '' AND product_code.code IN (%s)
"""
CODES = "SELECT code FROM product_code WHERE product_id = ? AND template = '' ORDER BY id"
HELD = "SELECT DISTINCT group_id FROM sale_block WHERE site_id = ? AND stand = 'shelf' AND ended_at IS NULL"
SHELF = "SELECT id FROM location WHERE site_id = ? AND kind = 'shelf'"
LEVELS = """
INSERT INTO stock_level (location_id, product_id, site_id, is_hard, on_hand_milli) VALUES (?, ?, ?, 0, ?)
ON CONFLICT (location_id, product_id) DO UPDATE SET on_hand_milli = on_hand_milli + excluded.on_hand_milli
"""
BELOW_ZERO = """
SELECT product_id, on_hand_milli FROM stock_level WHERE location_id = ? AND on_hand_milli < 0 AND product_id IN (%s)
"""
LOTS = """
SELECT lot_level.product_id, lot_id, on_hand_milli, best_before, use_by FROM lot_level JOIN lot ON lot.id = lot_id
WHERE location_id = ? AND on_hand_milli > 0 AND lot_level.product_id IN (%s)
"""
LOWER_LOT = "UPDATE lot_level SET on_hand_milli = on_hand_milli - ? WHERE location_id = ? AND lot_id = ?"
MOVE = """
INSERT INTO stock_move (site_id, product_id, lot_id, from_id, quantity_milli, reason, ref, note, actor, created_at)
VALUES (?, ?, ?, ?, ?, 'sale', ?, '', ?, ?)
"""
ENTRY = """
INSERT INTO ledger_entry (site_id, kind, ref, is_sealed, created_at) VALUES (?, 'sale', ?, 0, ?) RETURNING id
"""
LOWER_ACCOUNT = """
UPDATE ledger_account SET balance_cents = balance_cents - ? WHERE site_id = ? AND "key" = ? AND balance_cents >= ?
"""
RAISE_ACCOUNT = """
INSERT INTO ledger_account (site_id, "key", is_floored, balance_cents) VALUES (?, ?, 0, ?)
ON CONFLICT (site_id, "key") DO UPDATE SET balance_cents = balance_cents + excluded.balance_cents
"""
POSTING = "INSERT INTO ledger_posting (entry_id, account_key, site_id, cents) VALUES (?, ?, ?, ?)"
SEAL = "UPDATE ledger_entry SET is_sealed = 1 WHERE id = ?"
NUMBER = """
INSERT INTO register (site_id, code, last_number) VALUES (?, 'A1', 1)
ON CONFLICT (site_id, code) DO UPDATE SET last_number = last_number + 1 RETURNING last_number
"""
SALE = """
INSERT INTO sale (public_id, site_id, register_code, receipt_number, receipt_hash, state, channel, rail, total_cents,
member_id, has_reserved, is_cancelled, reason, fiscal, created_at, touched_at, finalised_at)
VALUES (?, ?, 'A1', ?, ?, 'done', 'api', 'account', ?, ?, 0, 0, '', '{"signed": false}', ?, ?, ?) RETURNING id
"""
LINE = """
INSERT INTO sale_line (sale_id, position, site_id, kind, product_id, name, name_en, unit, quantity_milli,
unit_price_cents, total_cents, vat_permille, base_price_cents, base_unit, lot)
VALUES (?, ?, ?, 'goods', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')
"""
ANSWER = """
INSERT INTO idempotency_record (scope, "key", request_hash, status, headers, body, created_at)
VALUES (?, ?, ?, 201, '{"Content-Type": "application/json"}', ?, ?) ON CONFLICT DO NOTHING
"""
FAR = "9999-12-31"


def create(database: Path, key: bytes, proven: set[str]) -> Flask:
    """Return the twin.

    Args:
        key: for hashes of requests and receipts.
        proven: cards and PINs that proved right within the last five minutes (`proof`): no slow hash on either side.
    """
    app = Flask("bare")
    local, lock = threading.local(), threading.Lock()

    def connection() -> sqlite3.Connection:
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(database, isolation_level=None)
            for pragma in ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                local.connection.execute(f"PRAGMA {pragma}")
            local.connection.execute("PRAGMA secure_delete=ON")
            local.connection.row_factory = sqlite3.Row
        return local.connection

    @app.post("/api/v1/sales")
    def sell() -> Response:
        with lock:
            rows = connection()
            rows.execute("BEGIN IMMEDIATE")
            try:
                answer = _sell(rows, key, proven)
            except BaseException:
                rows.rollback()
                raise
            rows.commit()
            return answer

    @app.get("/api/v1/products/<gtin>")
    def look_up(gtin: str) -> Response:
        rows = connection()
        rows.execute("BEGIN")
        try:
            return _look_up(rows, gtin)
        finally:
            rows.rollback()

    app.extensions["connection"] = connection
    return app


def proof(card: str, pin: str) -> str:
    return hashlib.sha256(f"{card} {pin}".encode()).hexdigest()


def _look_up(rows: sqlite3.Connection, gtin: str) -> Response:
    now = _now()
    token = rows.execute(TOKEN, (_hash(request.headers["Authorization"][7:]), now)).fetchone()
    if token is None or json.loads(token["data"])["role"] not in {"till", "monitor", "carrier"}:
        return Response(status=401)
    product = rows.execute(PRODUCTS % "?", (token["site_id"], now, now, now, now, gtin.zfill(14))).fetchone()
    if product is None:
        return Response(status=404)
    codes = [row["code"].lstrip("0") for row in rows.execute(CODES, (product["id"],))]
    base, unit = _base_price(product)
    return jsonify(
        id=str(uuid.UUID(product["public_id"])),
        gtin=codes[0],
        codes=codes,
        name=product["name"],
        name_en=product["name_en"],
        group=product["group_key"],
        unit=product["unit"],
        price_cents=product["price_cents"],
        base_price=None if base is None else {"cents": base, "unit": unit},
        vat_permille=product["vat_permille"],
        deposit_cents=(product["deposit_cents"] or 0)
        + (product["contained_cents"] or 0) * (product["contains_pieces"] or 0),
        min_age=product["min_age"],
    )


def _sell(rows: sqlite3.Connection, key: bytes, proven: set[str]) -> Response:  # noqa: PLR0911 - one refusal a line
    now = _now()
    token = rows.execute(TOKEN, (_hash(request.headers["Authorization"][7:]), now)).fetchone()
    if token is None or json.loads(token["data"])["role"] != "till":
        return Response(status=401)
    site, scope, once = token["site_id"], f"token:{token['id']}@{token['site_id']}", request.headers["Idempotency-Key"]
    asked = hmac.new(key, b"POST /api/v1/sales\n" + request.get_data(), "sha256").hexdigest()
    before = rows.execute(ANSWERED, (scope, once)).fetchone()
    if before is not None:
        return Response(before["body"], before["status"] if before["request_hash"] == asked else 422)
    wanted = request.get_json()
    owner = rows.execute(OWNER, (_hash(wanted["member_card"]), now)).fetchone()
    if owner is None:
        return Response(status=404)
    counters = (str(owner[0]), str(owner[0]), f"token:{token['id']}")
    if rows.execute(BLOCKED, (*counters, now)).fetchall():
        return Response(status=429)
    if proof(wanted["member_card"], wanted["pin"]) not in proven:
        return Response(status=403)
    codes = [line["gtin"].zfill(14) for line in wanted["lines"]]
    marks = ", ".join("?" * len(codes))
    found = {row["code"]: row for row in rows.execute(PRODUCTS % marks, (site, now, now, now, now, *codes))}
    lines = [(found[code], 1000 * line.get("quantity", 1)) for code, line in zip(codes, wanted["lines"], strict=True)]
    if any(product["min_age"] > owner["age_level"] for product, _ in lines):
        return Response(status=409)
    answer = jsonify(_book(rows, key, site, owner[1], lines))
    answer.status_code = 201
    rows.execute(ANSWER, (scope, once, asked, answer.get_data(), now))
    return answer


def _book(rows: sqlite3.Connection, key: bytes, site: int, member: int, lines: list) -> dict:
    now, public_id, actor = _now(), _uuid7(), f"member:{member}"
    ref = f"sale:{public_id}"
    held = {row[0] for row in rows.execute(HELD, (site,))}
    assert held.isdisjoint(product["group_id"] for product, _ in lines)
    shelf = rows.execute(SHELF, (site,)).fetchone()[0]
    parts = _take(rows, site, shelf, lines)
    rows.executemany(MOVE, [(site, product, lot, shelf, milli, ref, actor, now) for product, lot, milli in parts])
    totals = [(product["price_cents"] * milli + 500) // 1000 for product, milli in lines]
    _post(rows, site, str(public_id), actor, list(zip(lines, totals, strict=True)))
    number = rows.execute(NUMBER, (site,)).fetchone()[0]
    receipt = hashlib.sha256(hmac.digest(key, public_id.bytes, "sha256")).hexdigest()
    values = (public_id.hex, site, number, receipt, sum(totals), member, now, now, now)
    sale = rows.execute(SALE, values).fetchone()[0]
    written = []
    for place, ((product, milli), cents) in enumerate(zip(lines, totals, strict=True), 1):
        name = (product["id"], product["name"], product["name_en"], product["unit"])
        prices = (milli, product["price_cents"], cents, product["vat_permille"], *_base_price(product))
        written.append((sale, place, site, *name, *prices))
    rows.executemany(LINE, written)
    return {
        "id": str(public_id),
        "receipt_number": f"A1-{number}",
        "register_code": "A1",
        "sequence": number,
        "total_cents": sum(totals),
    }


def _take(rows: sqlite3.Connection, site: int, shelf: int, lines: list) -> list[tuple[int, int | None, int]]:
    """Lower the levels, then choose lots by the earliest date; return (product, lot, quantity) of the moves."""
    rows.executemany(LEVELS, [(shelf, product["id"], site, -milli) for product, milli in lines])
    marks, products = ", ".join("?" * len(lines)), [product["id"] for product, _ in lines]
    assert not rows.execute(BELOW_ZERO % marks, (shelf, *products)).fetchall()
    lots: dict[int, list] = {}
    for row in rows.execute(LOTS % marks, (shelf, *products)):
        date = row["use_by"] or row["best_before"] or FAR
        lots.setdefault(row["product_id"], []).append([date, row["lot_id"], row["on_hand_milli"]])
    parts: list[tuple[int, int | None, int]] = []
    for product, milli in lines:
        left = milli
        for lot in sorted(lots.get(product["id"], ())):
            taken = min(left, lot[2])
            if taken:
                left -= taken
                parts.append((product["id"], lot[1], taken))
        if left:
            parts.append((product["id"], None, left))
    rows.executemany(LOWER_LOT, [(milli, shelf, lot) for _, lot, milli in parts if lot is not None])
    return parts


def _post(rows: sqlite3.Connection, site: int, ref: str, actor: str, lines: list) -> None:
    """Book the money: VAT once per rate from its gross sum, rounded half up."""
    gross: dict[int, int] = {}
    for (product, _), cents in lines:
        gross[product["vat_permille"]] = gross.get(product["vat_permille"], 0) + cents
    raised = {}
    for rate, cents in gross.items():
        vat = (2 * cents * rate + 1000 + rate) // (2 * (1000 + rate))
        raised |= {f"vat:{rate}": vat, f"revenue:{rate}": cents - vat}
    total = sum(gross.values())
    entry = rows.execute(ENTRY, (site, ref, _now())).fetchone()[0]
    if rows.execute(LOWER_ACCOUNT, (total, site, actor, total)).rowcount != 1:
        raise PermissionError
    rows.executemany(RAISE_ACCOUNT, [(site, account, cents) for account, cents in raised.items()])
    postings = {actor: -total, **raised}
    rows.executemany(POSTING, [(entry, account, site, cents) for account, cents in postings.items()])
    rows.execute(SEAL, (entry,))


def _base_price(product: sqlite3.Row) -> tuple[int | None, str]:
    content = product["drained_milli"] or product["content_milli"]
    if product["unit"] != "piece" or content is None or content == 1000 or content < 10:
        return None, ""
    return (2 * product["price_cents"] * 1000 + content) // (2 * content), product["content_unit"]


def _hash(token: str) -> str:
    return hashlib.sha256(token.strip().upper().encode()).hexdigest()


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _uuid7() -> uuid.UUID:
    random = uuid.uuid4().int & ~(0xFFFFFFFFFFFF << 80 | 0xF << 76 | 0b11 << 62)
    return uuid.UUID(int=time.time_ns() // 1_000_000 << 80 | 7 << 76 | 0b10 << 62 | random & (1 << 76) - 1)
