"""Every timer, limit and bound of the secure link, each with its reason."""

import msgspec


class SecureConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds. The defaults are the product's; tests shorten or disable single ones."""

    # sessions (WireGuard's times)
    rekey_after_s: float = 120.0
    """The initiator of a session starts the next one at this age."""
    rekey_responder_after_s: float = 150.0
    """The responder does so later, so that re-keys do not cross on a healthy line."""
    rekey_spread_s: float = 20.0
    """Either does so up to this much earlier, both sides of a session by the same; less than the
    difference of the two."""
    reject_after_s: float = 180.0
    """At this age a session neither sends nor receives, and its keys are erased."""
    rest_from_s: float = 90.0
    """At this age, before any re-key is due, a session that has carried no content stops ageing."""
    rest_s: float = 180.0
    """For at most so long. A re-key costs both sides a millisecond, and recorded content cannot be
    opened with keys stolen later where there was none. What it takes: keys stolen during the rest
    open the content that ends it. So the rest has an end."""

    # initiating
    first_repeat_s: float = 0.125
    """Pause before INIT or FIN is repeated for the first time, while the round trip is not known:
    as long as most are. Lost handshakes are what a person waits for, and repeating one costs a
    datagram, for the answer is made already."""
    first_repeat_rtts: float = 1.5
    """The same in round trips, where the last handshake measured one; within the next two."""
    least_first_repeat_s: float = 0.1
    most_first_repeat_s: float = 0.5
    fin_pause_s: float = 4.0
    """Pauses of FIN double up to this."""
    fin_repeat_s: float = 15.0
    """FIN is repeated for this long; at the next pause's end a new INIT starts."""
    fin_in_front_s: float = 0.1
    """DATA on an unconfirmed session is preceded by FIN, at most this often."""
    urgent_s: float = 2.0
    """Pauses of INIT double up to this, and stay there while something waits; else they go on to
    double up to `idle_s`."""
    idle_s: float = 8.0
    idle_after_s: float = 90.0
    """A dial that was not urgent for this long slows down to `slow_s`."""
    slow_s: float = 60.0
    simultaneous_s: float = 0.5
    """An INIT that crosses our own attempt is decided by the larger key while that is younger:
    several round trips of most paths. After that it is answered, for ours may be lost;
    two sessions do no harm."""
    attempt_s: float = 15.0
    """An ephemeral key is used for INITs this long, then a new one is drawn."""
    refused_wait_s: float = 60.0
    """After the other side refused, the dialler waits this long."""
    max_dial_addrs: int = 8
    """Addresses one dial may name; INIT goes to each of them."""

    # responding
    max_half_open: int = 8
    max_half_open_strangers: int = 6
    """Of them; two stay free for initiators that know our key."""
    free_half_open: int = 4
    """Beyond this many only an INIT with a valid cookie opens another."""
    half_open_s: float = 20.0
    """Longer than all repetitions of a FIN."""
    evict_half_open_s: float = 1.0
    """When all are taken, one older than this gives way to an INIT with a cookie."""
    max_pending: int = 8
    """Authenticated handshakes that wait for accept or refuse."""
    pending_s: float = 5.0
    max_refusals: int = 8
    """Refusals kept to be repeated for a repeated FIN."""
    max_spent_inits: int = 32
    """Ephemerals of answered INITs, so that their late duplicates are not answered again."""
    max_invites: int = 4
    known_rate: float = 50.0
    known_burst: float = 20.0
    stranger_rate: float = 20.0
    stranger_burst: float = 5.0
    """Handshakes a second without cookie (wireguard-go's numbers)."""
    source_rate: float = 2.0
    source_burst: float = 5.0
    """Handshakes a second from one address that proved itself by a cookie."""
    max_sources: int = 256
    max_answers: int = 16
    """With so many waiting to be sent, only addresses that we dial get a cookie: a burst of forged
    INITs costs little, and a genuine caller sends another."""
    cookie_secret_s: float = 60.0
    """A cookie is taken for one to two times this long."""

    # paths
    amplification: int = 3
    """To an address that is not validated, at most this many bytes per byte received from it (RFC
    9000 section 8)."""
    challenge_repeat_s: float = 0.5
    validation_s: float = 8.0
    """A path not validated by then is left for the last validated one, if it fell silent too."""

    # all
    max_links: int = 2048
    """Peers with a dial or a session; more than MAX_PEERS because of merges and requests."""
