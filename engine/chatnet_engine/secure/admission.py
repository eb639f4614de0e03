"""Who may open a handshake here: mac1, stateless cookies, token buckets.

Owns the cookie secrets and the buckets. Decides on an INIT before any public-key operation.

    load                      mac1 of our key    any other mac1     valid cookie (either)
    up to 4 half-open         admit (50/s)       admit (20/s)       admit (2/s a source)
      bucket empty            cookie             cookie             drop
    beyond 4                  cookie             cookie             admit (2/s a source)
    all 8 (strangers: 6)      cookie             cookie             admit if the oldest is > 1 s

A mismatch of mac1 makes a stranger, never silence: a peer that pinned an old key of ours must still
reach us to learn that it changed.
"""

import enum
import hashlib
import hmac
import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.config import SecureConfig
from chatnet_protocol.wire.datagrams import COOKIE_BYTES, MAC_BYTES, NO_COOKIE, Init

_MAC1_LABEL: Final = b"chatnet mac1"


class Verdict(enum.Enum):
    """What to do with an INIT."""

    ADMIT = "admit"
    ADMIT_EVICTING = "admit, the oldest gives way"
    COOKIE = "cookie"
    DROP_FULL = "drop: all places taken"
    DROP_RATE = "drop: too many from there"


def mac1_key(public: bytes | None) -> bytes:
    """Key of mac1 for a responder: BLAKE2s of a label and its static key, if that is known."""
    return hashlib.blake2s(_MAC1_LABEL + (public or b"")).digest()


def mac1(key: bytes, covered: bytes) -> bytes:
    """Keyed BLAKE2s-128 over the first 72 bytes of an INIT."""
    return hashlib.blake2s(covered, key=key, digest_size=MAC_BYTES).digest()


class TokenBucket:
    """`rate` tokens a second, at most `burst` kept."""

    __slots__ = ("_burst", "_rate", "_then", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._then = now

    def take(self, now: float) -> bool:
        """Spend one token if there is one."""
        if now > self._then:
            self._tokens = min(self._burst, self._tokens + (now - self._then) * self._rate)
            self._then = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Admission:
    """Judges INITs. Memory is bounded by `max_sources` buckets."""

    def __init__(
        self, public: bytes, random: Callable[[int], bytes], now: float, config: SecureConfig
    ) -> None:
        self._config = config
        self._random = random
        self._own_key = mac1_key(public)
        self._known = TokenBucket(config.known_rate, config.known_burst, now)
        self._strangers = TokenBucket(config.stranger_rate, config.stranger_burst, now)
        self._sources: OrderedDict[str, TokenBucket] = OrderedDict()
        self._secret = random(32)
        self._old_secret = random(32)
        self._secret_until = now + config.cookie_secret_s

    def knows_us(self, init: Init) -> bool:
        """Whether mac1 was made with our static key."""
        return hmac.compare_digest(mac1(self._own_key, init.covered), init.mac1)

    def judge(
        self,
        init: Init,
        addr: Addr,
        now: float,
        *,
        known: bool,
        half_open: int,
        full: bool,
        evictable: bool,
    ) -> Verdict:
        """The verdict on an INIT while `half_open` handshakes are open.

        `known`: mac1 was made with our key. `full`: no place is left for its kind. `evictable`:
        then the oldest may give way.
        """
        if init.cookie != NO_COOKIE and self._is_valid(init, addr, now):
            if full and not evictable:
                return Verdict.DROP_FULL
            if not self._source(addr, now).take(now):
                return Verdict.DROP_RATE
            return Verdict.ADMIT_EVICTING if full else Verdict.ADMIT
        if full or half_open >= self._config.free_half_open:
            return Verdict.COOKIE
        bucket = self._known if known else self._strangers
        return Verdict.ADMIT if bucket.take(now) else Verdict.COOKIE

    def answer_version(self, now: float) -> bool:
        """Whether an INIT of another version may be answered now."""
        return self._strangers.take(now)

    def cookie(self, index: int, addr: Addr, now: float) -> bytes:
        """The cookie for an initiator's index and address."""
        self._rotate(now)
        return _cookie(self._secret, index, addr)

    def _is_valid(self, init: Init, addr: Addr, now: float) -> bool:
        self._rotate(now)
        fresh = hmac.compare_digest(_cookie(self._secret, init.index, addr), init.cookie)
        old = hmac.compare_digest(_cookie(self._old_secret, init.index, addr), init.cookie)
        return fresh or old

    def _rotate(self, now: float) -> None:
        if now < self._secret_until:
            return
        late = now >= self._secret_until + self._config.cookie_secret_s
        self._old_secret = self._random(32) if late else self._secret
        self._secret = self._random(32)
        self._secret_until = (now if late else self._secret_until) + self._config.cookie_secret_s

    def _source(self, addr: Addr, now: float) -> TokenBucket:
        source = _network(addr[0])
        bucket = self._sources.get(source)
        if bucket is None:
            if len(self._sources) >= self._config.max_sources:
                self._sources.popitem(last=False)
            bucket = TokenBucket(self._config.source_rate, self._config.source_burst, now)
            self._sources[source] = bucket
        self._sources.move_to_end(source)
        return bucket


def _cookie(secret: bytes, index: int, addr: Addr) -> bytes:
    what = b"%d %d " % (index, addr[1]) + addr[0].encode()
    return hashlib.blake2s(what, key=secret, digest_size=COOKIE_BYTES).digest()


def _network(host: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: what one household can make up."""
    try:
        return ipaddress.ip_address(host).packed[:8].hex()
    except ValueError:
        return host
