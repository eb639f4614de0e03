"""The secure link: Noise handshakes, sealed datagrams, sessions and roaming, without I/O.

Owns keys, session slots, replay windows, admission of strangers and the address of each peer.
Must not know what payloads mean, who is trusted, or what time it is: `now`, bytes and randomness
are handed in; the caller decides on every authenticated key.
"""
