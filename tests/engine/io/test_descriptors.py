import resource

import pytest

from chatnet_engine.io import descriptors
from chatnet_engine.io.descriptors import ENOUGH, WANTED, complaint, raise_descriptor_limit


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (1024, 8192, 8192),
        (1024, 10**6, WANTED),
        (1024, resource.RLIM_INFINITY, WANTED),
        (1024, 1024, 1024),
        (10**6, 10**6, 10**6),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_useful(monkeypatch, soft, hard, raised):
    limits = [(soft, hard)]
    monkeypatch.setattr(descriptors.resource, "getrlimit", lambda which: limits[-1])
    monkeypatch.setattr(descriptors.resource, "setrlimit", lambda which, pair: limits.append(pair))
    assert raise_descriptor_limit() == raised
    assert limits[-1] == (max(soft, raised), hard)


def test_a_low_limit_is_one_sentence():
    assert complaint(ENOUGH) == ""
    text = complaint(1024)
    assert "1024" in text
    assert text.endswith(".")
