import pytest

from chatnet_engine.io import self_test


def test_the_faster_cipher_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def timed(aes_s: float, chacha_s: float) -> bool:
        times = {"AESGCM": aes_s, "ChaCha20Poly1305": chacha_s}
        monkeypatch.setattr(self_test, "_best_s", lambda cipher: times[type(cipher).__name__])
        return self_test.is_aes_fast()

    assert timed(1.0, 2.0)
    assert not timed(2.0, 1.0)


def test_it_runs_on_this_machine() -> None:
    assert self_test.is_aes_fast() in (True, False)
