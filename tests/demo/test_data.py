"""The demo village's data must hold together: a wrong check digit or a dangling reference shows on stage."""

import csv
import tomllib
from datetime import time
from itertools import pairwise
from pathlib import Path
from string import ascii_uppercase, digits

import pytest

DATA = Path(__file__).parents[2] / "shop_hub" / "demo" / "data"
DEPOSITS = {"", "einweg-25", "mehrweg-8", "mehrweg-15", "crate-150"}
DEPOSIT_GROUPS = {"milk", "drinks", "beer-wine"}
AGE_GROUPS = {"beer-wine": {"0", "16"}, "spirits": {"18"}}
NOTICE_KINDS = {"notice", "news", "offer", "seek", "lost", "official", "help", "event"}
MOD37 = digits + ascii_uppercase


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def settings(name: str) -> dict[str, object]:
    return tomllib.loads((DATA / f"{name}.toml").read_text(encoding="utf-8"))


def by(name: str, key: str) -> dict[str, dict[str, str]]:
    return {row[key]: row for row in rows(name)}


def gs1_check(body: str) -> str:
    """Weights 3, 1, 3 … from the right: GTIN and SSCC (shop.md 3.1, parcels.md 3.1)."""
    return str(-sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(body[::-1])) % 10)


def left_check(body: str) -> str:
    """Weights 3, 1, 3 … from the left: the 14-digit labels (parcels.md 3.1)."""
    return str(-sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(body)) % 10)


def mod37_36(body: str) -> str:
    """ISO 7064 MOD 37,36 (parcels.md 3.1)."""
    product = 36
    for character in body:
        product = ((product + MOD37.index(character)) % 36 or 36) * 2 % 37
    return MOD37[(37 - product) % 36]


def is_valid_label(layout: str, number: str) -> bool:
    body, check = number[:-1], number[-1]
    if layout == "sscc20":
        return len(number) == 20 and number.startswith("00") and gs1_check(body) == check
    if layout == "numeric14":
        return len(number) == 14 and number.isdigit() and left_check(body) == check
    return layout == "mod37-15" and len(number) == 15 and mod37_36(body) == check


def test_check_functions_accept_the_published_examples_and_refuse_a_changed_digit() -> None:
    assert is_valid_label("sscc20", "00340434161094042557")
    assert is_valid_label("numeric14", "09133131530724")
    assert is_valid_label("mod37-15", "01015026003653C")
    assert not is_valid_label("sscc20", "00340434161094042567")
    assert not is_valid_label("numeric14", "09133131530734")
    assert not is_valid_label("mod37-15", "01015026003663C")


@pytest.mark.parametrize("path", sorted(DATA.glob("*.csv")), ids=lambda path: path.name)
def test_table_is_clean(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.startswith("\ufeff")
    assert ";" not in text
    assert "\r" not in text
    for row in rows(path.stem):
        assert None not in row
        assert None not in row.values()
        assert all(value == value.strip() for value in row.values())


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("products", "gtin"),
        ("products", "name"),
        ("products", "name_en"),
        ("product_groups", "key"),
        ("product_groups", "sort"),
        ("product_groups", "symbol"),
        ("suppliers", "key"),
        ("villagers", "number"),
        ("staff", "user_name"),
        ("carriers", "code"),
        ("carriers", "label_format"),
        ("couriers", "code"),
        ("parcels", "tracking_number"),
        ("notices", "title"),
        ("vending", "slot"),
        ("vending", "gtin"),
        ("climate", "sensor"),
    ],
)
def test_key_is_unique(table: str, key: str) -> None:
    values = [row[key] for row in rows(table)]
    assert sorted(set(values)) == sorted(values)
    assert all(values)


def test_there_is_enough_of_everything() -> None:
    assert len(rows("products")) >= 320
    assert len(rows("product_groups")) >= 16
    assert len(rows("villagers")) == 120
    assert len(rows("notices")) >= 30
    assert [row["slot"] for row in rows("vending")] == [str(slot) for slot in range(1, 31)]
    states = [row["state"] for row in rows("parcels")]
    assert (states.count("waiting"), states.count("announced"), len(states)) == (14, 12, 26)


def test_every_barcode_has_a_true_check_digit() -> None:
    codes = [row["gtin"] for row in rows("products")]
    assert [code for code in codes if len(code) not in {8, 13} or gs1_check(code[:-1]) != code[-1]] == []


def test_own_codes_leave_the_scale_label_range_free() -> None:
    own = [row["gtin"] for row in rows("products") if row["gtin"].startswith("2")]
    assert len(own) >= 20
    assert {len(code) for code in own} == {8}


def test_products_fit_label_and_till() -> None:
    for row in rows("products"):
        assert 0 < len(row["name"]) <= 40, row
        assert 0 < len(row["name_en"]) <= 60, row
        assert 40 <= int(row["price_cents"]) <= 2000, row
        assert row["vat"] in {"reduced", "standard"}, row
        assert row["stock_policy"] in {"soft", "hard"}, row
        assert row["vending_forbidden"] in {"yes", "no"}, row
        assert int(row["on_hand"]) >= 0, row
        assert int(row["min_level"]) >= 0, row
        assert row["shelf"], row


def test_contents_give_a_unit_price() -> None:
    for row in rows("products"):
        assert row["fill_unit"] in {"g", "ml", "piece"}, row
        assert int(row["fill_quantity"]) > 0, row
        if row["drained_g"]:
            assert row["fill_unit"] == "g", row
            assert 0 < int(row["drained_g"]) <= int(row["fill_quantity"]), row


def test_dates_have_a_kind_and_goods_without_date_have_none() -> None:
    for row in rows("products"):
        assert bool(row["best_before_days"]) == bool(row["date_kind"]), row
        if row["best_before_days"]:
            assert row["date_kind"] in {"best_before", "use_by"}, row
            assert 1 <= int(row["best_before_days"]) <= 800, row
        if row["group"] in {"household", "hygiene"}:
            assert not row["best_before_days"], row


def test_age_limits_follow_the_group() -> None:
    for row in rows("products"):
        assert row["min_age"] in AGE_GROUPS.get(row["group"], {"0"}), row
        is_spirit = row["group"] == "spirits" and row["fill_unit"] == "ml"
        assert row["vending_forbidden"] == ("yes" if is_spirit else "no"), row
        if row["min_age"] == "0" and row["group"] == "beer-wine":
            assert "alkoholfrei" in row["name"], row


def test_drinks_and_alcohol_carry_the_standard_vat() -> None:
    for row in rows("products"):
        if row["group"] in {"drinks", "beer-wine", "spirits", "household"}:
            assert row["vat"] == "standard", row
        if row["group"] in {"bread", "cheese", "eggs", "meat", "fruit-vegetables", "frozen"}:
            assert row["vat"] == "reduced", row


def test_deposits_follow_container_and_volume() -> None:
    for row in rows("products"):
        assert row["deposit"] in DEPOSITS, row
        if row["deposit"]:
            assert row["group"] in DEPOSIT_GROUPS, row
        if row["deposit"] == "einweg-25":
            assert row["fill_unit"] == "ml", row
            assert 100 <= int(row["fill_quantity"]) <= 3000, row
        if row["deposit"] == "mehrweg-8":
            assert int(row["fill_quantity"]) in {330, 500}, row
        if row["group"] == "beer-wine" and row["name"].endswith("0,5 l"):
            assert row["deposit"], row


def test_a_crate_holds_bottles_of_the_same_till() -> None:
    products = by("products", "gtin")
    crates = [row for row in products.values() if row["deposit"] == "crate-150"]
    assert len(crates) == 4
    for crate in crates:
        bottle, pieces = products[crate["contains_gtin"]], int(crate["contains_pieces"])
        assert bottle["deposit"].startswith("mehrweg-"), crate
        assert int(crate["fill_quantity"]) == pieces * int(bottle["fill_quantity"]), crate
        assert crate["min_age"] == bottle["min_age"], crate
        assert int(crate["price_cents"]) < pieces * int(bottle["price_cents"]), crate
    assert all(bool(row["contains_gtin"]) == (row in crates) for row in products.values())


def test_groups_and_suppliers_are_known_and_used() -> None:
    products = rows("products")
    assert {row["group"] for row in products} == set(by("product_groups", "key"))
    assert {row["supplier"] for row in products} == set(by("suppliers", "key"))


def test_suppliers_are_invented() -> None:
    for row in rows("suppliers"):
        assert row["email"].endswith(".example"), row
        assert row["phone"].startswith("030 23125 "), row
        assert set(row["delivery_weekdays"].split()) <= set("1234567"), row
        assert row["settlement"] in {"own", "commission"}, row


def test_villagers_are_one_household_per_door_and_one_person_per_name() -> None:
    villagers = rows("villagers")
    assert len({(row["first_name"], row["last_name"]) for row in villagers}) == 120
    doors = {(row["street"], row["house_number"], row["last_name"]) for row in villagers}
    assert len({(street, number) for street, number, _name in doors}) == len(doors)
    emails = [row["email"] for row in villagers if row["email"]]
    assert len(set(emails)) == len(emails)
    assert 50 <= len(emails) <= 75


def test_villagers_can_be_reached_and_served() -> None:
    for row in rows("villagers"):
        assert row["language"] in {"de", "en", "pl", "uk"}, row
        assert row["email"] == "" or row["email"].endswith("@kranichbrueck.example"), row
        assert row["notify"] in {"mail", "kiosk"}, row
        assert row["notify"] == "kiosk" or row["email"], row
        assert row["has_phone"] in {"yes", "no"}, row
        assert 0 <= int(row["balance_cents"]) <= 15000, row
    assert 10 <= sum(row["accessible"] == "yes" for row in rows("villagers")) <= 15


def test_verified_age_never_exceeds_the_birth_decade() -> None:
    for row in rows("villagers"):
        latest_birth = {"0": 2020, "16": 2010, "18": 2008}[row["age_level"]]
        assert int(row["birth_decade"]) <= latest_birth, row


def test_staff_covers_every_role_and_shares_no_name_with_a_villager() -> None:
    staff = rows("staff")
    assert sorted(row["role"] for row in staff) == ["administrator", "manager", "operator", "operator", "volunteer"]
    villagers = {(row["first_name"], row["last_name"]) for row in rows("villagers")}
    assert not villagers & {(row["first_name"], row["last_name"]) for row in staff}


def test_every_carrier_has_couriers_and_readable_colours() -> None:
    carriers = by("carriers", "code")
    couriers = [row["carrier"] for row in rows("couriers")]
    assert set(couriers) == set(carriers)
    assert all(2 <= couriers.count(code) <= 3 for code in carriers)
    for carrier in carriers.values():
        lighter, darker = sorted(map(luminance, (carrier["colour"], carrier["text_colour"])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, carrier


def luminance(colour: str) -> float:
    """WCAG 2.2 relative luminance of ``#rrggbb``."""
    shares = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_parcels_carry_a_label_of_their_carrier_and_a_known_recipient() -> None:
    carriers, villagers = by("carriers", "code"), by("villagers", "number")
    for row in rows("parcels"):
        assert is_valid_label(carriers[row["carrier"]]["label_format"], row["tracking_number"]), row
        assert row["recipient"] in villagers, row
        assert row["size"] in {"S", "M", "L", "XL"}, row
        assert (row["state"] == "waiting") == bool(row["days_waiting"]), row
        assert 0 <= int(row["days_waiting"] or 0) <= 7, row


def test_notices_are_short_and_signed_by_a_villager_or_nobody() -> None:
    villagers = by("villagers", "number")
    notices = rows("notices")
    assert {row["kind"] for row in notices} == NOTICE_KINDS
    for row in notices:
        assert 0 < len(row["title"]) <= 60, row
        assert 0 < len(row["body"]) <= 280, row
        assert len(row["body_en"]) <= 280, row
        assert bool(row["title_en"]) == bool(row["body_en"]), row
        assert row["author"] == "" or row["author"] in villagers, row
        assert int(row["day_from"]) <= int(row["day_until"]), row
        assert int(row["day_until"]) >= 0, row


def test_events_have_a_day_a_time_and_a_place() -> None:
    for row in rows("notices"):
        assert row["repeat"] in {"", "weekly", "biweekly", "four-weekly"}, row
        if row["kind"] == "event":
            assert row["weekday"] in set("1234567"), row
            assert row["place"], row
        if row["start_time"]:
            assert time.fromisoformat(row["start_time"]) < time.fromisoformat(row["end_time"]), row


def test_vending_machine_holds_no_alcohol_and_no_more_than_fits() -> None:
    products = by("products", "gtin")
    for row in rows("vending"):
        product = products[row["gtin"]]
        assert (product["min_age"], product["vending_forbidden"]) == ("0", "no"), row
        assert 0 <= int(row["stock"]) <= int(row["capacity"]) <= 12, row


def test_fridges_run_inside_their_limits() -> None:
    for row in rows("climate"):
        low, normal, high = (int(row[f"{name}_milli_celsius"]) for name in ("min", "normal", "max"))
        assert low < normal < high, row
    assert int(by("climate", "sensor")["tiefkuehltruhe"]["max_milli_celsius"]) == -18000


def test_shop_is_open_from_five_to_ten_and_always_with_a_card() -> None:
    rules = settings("opening")["rule"]
    assert isinstance(rules, list)
    assert [(rule["who"], rule["opens"], rule["closes"]) for rule in rules] == [
        ("everyone", "05:00", "22:00"),
        ("member-card", "00:00", "24:00"),
    ]
    assert all(rule["weekdays"] == [1, 2, 3, 4, 5, 6, 7] for rule in rules)


def test_cash_machine_tells_only_what_villagers_may_see() -> None:
    atm = settings("atm")
    assert atm["service"] in {"inService", "outOfService", "supervisor", "unknown"}
    assert atm["withdrawal"] in {"ok", "low", "empty", "inoperative", "unknown"}
    assert not {"units", "counts", "notes", "exchange"} & set(atm)


def test_groups_are_sorted_as_listed() -> None:
    order = [int(row["sort"]) for row in rows("product_groups")]
    assert all(first < second for first, second in pairwise(order))
