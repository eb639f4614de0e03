from chatnet_engine.io.turns import Turns


def test_groups_come_in_turn_and_so_do_the_items_of_a_group() -> None:
    turns: Turns[str] = Turns()
    for pid, item in ((1, "a"), (1, "b"), (1, "c"), (2, "x"), (3, "y"), (3, "z")):
        turns.add(pid, item)
    assert len(turns) == 6
    assert [turns.take() for _ in range(4)] == ["a", "x", "y", "b"]
    turns.add(2, "v")
    assert [turns.take() for _ in range(3)] == ["z", "c", "v"]
    assert not turns
