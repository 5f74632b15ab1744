"""Check digits of parcel numbers (parcels.md 3.1). Each function says whether a number that has one is right.

A right check digit never proves the carrier: a valid Hermes number is always a valid GTIN-14 as well.
"""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def is_mod10_31(digits: str, *, added: int = 0) -> bool:
    """Modulo 10 with weights 3 and 1 from the right: SSCC, GTIN, Hermes; GLS adds 1 to the sum."""
    body, check = digits[:-1], int(digits[-1])
    total = added + sum(int(digit) * (3 if i % 2 == 0 else 1) for i, digit in enumerate(reversed(body)))
    return (10 - total % 10) % 10 == check


def is_mod10_49(digits: str) -> bool:
    """Modulo 10 with weights 4 and 9 from the left: Identcode and Leitcode of DHL."""
    body, check = digits[:-1], int(digits[-1])
    total = sum(int(digit) * (4 if i % 2 == 0 else 9) for i, digit in enumerate(body))
    return (10 - total % 10) % 10 == check


def is_mod7(digits: str) -> bool:
    """The last digit is the number before it modulo 7: DHL Express."""
    return int(digits[:-1]) % 7 == int(digits[-1])


def is_mod37_36(text: str) -> bool:
    """ISO 7064 MOD 37,36 over digits and capital letters: DPD."""
    return mod37_36(text[:-1]) == text[-1]


def mod37_36(text: str) -> str:
    """Return the check character of ISO 7064 MOD 37,36."""
    check = 36
    for sign in text:
        check = (check + _ALPHABET.index(sign)) % 36 or 36
        check = check * 2 % 37
    return _ALPHABET[(37 - check) % 36]


def is_ups(number: str) -> bool:
    """UPS 1Z: letters count (code - 63) modulo 10, weights 1 and 2 after `1Z`, modulo 10."""
    values = [int(sign) if sign.isdigit() else (ord(sign) - 63) % 10 for sign in number[2:]]
    total = sum(value * (1 if i % 2 == 0 else 2) for i, value in enumerate(values[:-1]))
    return (10 - total % 10) % 10 == values[-1]


def is_s10(number: str) -> bool:
    """UPU S10: weights 8 6 4 2 3 5 9 7, check = 11 - sum modulo 11, where 10 becomes 0 and 11 becomes 5."""
    total = sum(int(digit) * weight for digit, weight in zip(number[2:10], (8, 6, 4, 2, 3, 5, 9, 7), strict=True))
    check = 11 - total % 11
    return {10: 0, 11: 5}.get(check, check) == int(number[10])
