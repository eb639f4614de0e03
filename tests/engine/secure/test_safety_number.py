from chatnet_engine.secure.safety_number import safety_number

ALICE, BOB, EVE = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32


def test_both_sides_see_the_same_twelve_groups_of_five_digits() -> None:
    number = safety_number(ALICE, BOB)
    assert number == safety_number(BOB, ALICE)
    assert [len(group) for group in number.split()] == [5] * 12
    assert number.replace(" ", "").isdigit()


def test_another_key_changes_the_number() -> None:
    assert safety_number(ALICE, BOB) != safety_number(ALICE, EVE)


def test_known_value() -> None:
    digits = "63342 97997 45619 80390 71389 77793"
    more = "92948 62743 36439 56669 84139 24232"
    assert safety_number(ALICE, BOB) == f"{digits} {more}"
