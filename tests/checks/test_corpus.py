"""Every input that was ever kept goes through its door again."""

import pytest

from fuzz.__main__ import MAX_CALLS, corpus_of, counted
from fuzz.harnesses import HARNESSES
from fuzz.seeds import honest


@pytest.mark.parametrize("name", HARNESSES)
def test_r18_kept_inputs_do_no_harm_and_little_work(name: str) -> None:
    inputs = honest()[name][:20] + corpus_of(name)
    assert len(inputs) > 1 or name == "invite"
    for data in inputs:
        _, calls = counted(HARNESSES[name], data)
        assert calls <= MAX_CALLS
