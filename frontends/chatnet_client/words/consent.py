"""Up to which size files of a peer arrive without a question, in words. Pure."""

from chatnet_client.words import size_words
from chatnet_protocol.ipc.rows import PeerRow

ANY_SIZE_BYTES = 10**15
"""From here on a size is no limit to anybody."""


def consent_words(row: PeerRow) -> str:
    """`accepted automatically up to 268 MB (the default)`."""
    default = "" if row.auto_accept_set else " (the default)"
    limit = row.auto_accept_bytes
    if limit >= ANY_SIZE_BYTES:
        return f"accepted automatically{default}"
    if limit:
        return f"accepted automatically up to {size_words(limit)}{default}"
    return f"never accepted automatically{default}"
