"""Every size and count that both sides of a wire must honour, each with its reason."""

KIB = 1024
MIB = 1024 * KIB

# --- peer link ---------------------------------------------------------------------------------
MAX_DATAGRAM_BYTES = 65_472
"""Largest datagram: what the loopback device carries over IPv6 too (65,536 less headers)."""
BASE_DATAGRAM_BYTES = 1200
"""Largest datagram sent before path MTU discovery raises it (RFC 9000 section 14.1)."""
DATA_HEADER_BYTES = 16
AEAD_TAG_BYTES = 16
MAX_PAYLOAD_BYTES = BASE_DATAGRAM_BYTES - DATA_HEADER_BYTES - AEAD_TAG_BYTES
"""Plain frames in one base-size datagram: 1,168."""
MOST_PAYLOAD_BYTES = MAX_DATAGRAM_BYTES - DATA_HEADER_BYTES - AEAD_TAG_BYTES
"""The same in the largest: 65,440."""
MAX_PACKET_NUMBER = 2**62
"""At this packet number a new incarnation is drawn."""

MAX_TEXT_BYTES = 64 * KIB
"""One text, as UTF-8."""
MAX_MESSAGE_BYTES = MAX_TEXT_BYTES + 256
"""One application message on channel 0: a text and its header fields."""
RECEIVE_WINDOW_BYTES = 4 * MIB
"""Bytes of messages on channel 0 that a sender may have sent and not receipted: three times what
100 Mbit/s and 100 ms hold, since a loss delays receipts by two round trips."""
BULK_RECEIVE_WINDOW_BYTES = 16 * MIB
"""The same of each other channel: more than 1 Gbit/s and 100 ms hold, and as much as bulk streams
of a peer may have. What is in order is handed over at once, and kept of the rest:"""
MAX_HELD_BYTES = 128 * MIB
"""Content out of order, of all peers together ..."""
HELD_SHARE_BYTES = 256 * KIB
"""... but of each peer so much, whatever the others hold: a burst of text."""
MAX_MESSAGES_IN_WINDOW = 8192
"""The same as a count of messages, so that the memory for tiny ones is bounded."""
MESSAGE_OVERHEAD_BYTES = 64
"""What each message counts against the window besides its own bytes."""
MAX_CHANNELS = 16
MAX_ACK_RANGES = 32
MAX_HELLO_BYTES = 512
MAX_STATE_BYTES = 256
MAX_STATES = 8
MAX_TOTAL_AHEAD = 2**32
"""HELLO totals and Lamport counters further ahead than this are errors."""

MAX_UNPACK_DEPTH = 8
"""Nesting of any msgpack document; the decoder refuses deeper ones."""
MAX_INTEGER = 2**63 - 1
"""Integers of any msgpack document fit 64 signed bits, as those of the store do."""

# --- people and names --------------------------------------------------------------------------
MAX_DISPLAY_NAME_BYTES = 64
MAX_PEERS = 1024
MAX_REFUSED_KEYS = 8
"""Of one peer that a person decided to keep refusing; beyond it the oldest is forgotten, and asked
about again when it shows up."""

# --- files -------------------------------------------------------------------------------------
MAX_FILES_IN_OFFER = 1000
MAX_FOLDERS_IN_OFFER = 1000
"""Folders with nothing in them that an offer lists."""
MAX_LEFT_OUT_NAMED = 8
"""Of what an offer leaves out, or what arrived under another name; the rest is only counted."""
MAX_SHOWN_PATH_BYTES = 200
"""Of a path that is only shown; its start and its end are kept."""
MAX_OFFER_BYTES = 60 * KIB
"""An offer is one message of the conversation; a longer list of files follows as a listing."""
MAX_THINGS_IN_OFFER = 1000
"""Files and folders that a person chooses for one offer with a listing."""
MAX_LISTED_FILES = 2_000_000
MAX_LISTED_FOLDERS = 500_000
"""Of one listing, with those that only its paths imply; a receiver keeps some 20 bytes of each file
and 70 of each folder in memory."""
MAX_LISTING_BYTES = 256 * MIB
LISTING_PAGE_BYTES = 64 * KIB
"""One page of a listing, decoded as a whole: some 2 MiB of objects at worst."""
MIN_LIMIT_BYTES_S = 20_000
"""The least that files may be limited to: a record of 64 KiB then takes less than the 5 s after
which nothing seems to move."""
AUTO_ACCEPT_BYTES = 256 * MIB
"""What one offer of a peer whose address was typed here, or who is verified, may have to arrive
without a question, unless a person chose something else."""
MAX_AUTOMATIC_BYTES_A_DAY = 1024 * MIB
MAX_AUTOMATIC_FILES_A_DAY = 1000
"""What the files of a peer that is not verified may take in a day without a question: bytes, and
files and folders, since empty ones cost inodes. A person who allows more for one offer allows as
much for a day."""
MAX_OPEN_OFFERS = 256
"""Offers of one peer that have not ended; further ones are rejected automatically."""
MAX_PATH_COMPONENTS = 32
MAX_NAME_BYTES = 200
"""Name of a received file or folder after sanitising; leaves room for " (123)" within 255."""
MAX_INNER_NAME_BYTES = 255
"""One name inside a received folder: what Linux allows, so that none has to be cut."""
MAX_FILE_BYTES = 2**53
FILE_RECORD_BYTES = 64 * KIB
"""Plain bytes in one AEAD record of the file channel."""
BULK_WINDOW_BYTES = 1 * MIB
"""Of one bulk stream and direction, at first: bytes sent that the other file process has not taken.
It fills 100 Mbit/s and 80 ms; the receiver enlarges it where the path holds more ..."""
MAX_BULK_WINDOW_BYTES = 8 * MIB
"""... up to this: 670 Mbit/s at 100 ms for each of MAX_PEER_BULK_STREAMS."""
BULK_PART_BYTES = 16 * KIB
"""Most bytes in one message of a bulk stream."""
MAX_BULK_STREAMS = 6
"""At a time, of all peers and in one direction; further transfers wait. Together they hold at most
MAX_BULK_WINDOW_BYTES each: 48 MiB, and no more than has arrived."""
MAX_PEER_BULK_STREAMS = 2
"""Of one peer, in one direction, so that one that takes nothing leaves room for the others."""
MAX_ACTIVE_TRANSFERS = 64

# --- local IPC ---------------------------------------------------------------------------------
MAX_IPC_FRAME_BYTES = 1 * MIB
"""ZMQ_MAXMSGSIZE of every client's socket."""
MAX_REQUEST_BYTES = 512 * KIB
"""One request, all its frames together: the largest offers 1,000 paths."""
MAX_REQUESTS_UNDER_WAY = 128
"""Requests a client may have unanswered; the engine reads no further ones."""
MAX_IPC_PARTS = 4
MAX_EVENT_BYTES = 96 * KIB
MAX_PUBLICATION_BYTES = 256 * KIB
SNAPSHOT_PART_BYTES = 256 * KIB
SNAPSHOT_FRESH_S = 10.0
"""A snapshot is handed to newcomers for this long from its making ..."""
SNAPSHOT_FRESH_EVENTS = 500
"""... and while no more events than this came after it."""
SNAPSHOT_KEPT_S = 10.0
"""Its parts stay for this long after the last one was asked for ..."""
MAX_SNAPSHOT_KEPT_S = 120.0
"""... but not longer than this from its making."""
MAX_SNAPSHOTS = 4
MAX_SNAPSHOTS_BYTES = 64 * MIB
"""Of all snapshots kept; the oldest go."""
EVENT_RING_BYTES = 8 * MIB
"""Packed events kept for clients that missed some; older ones are answered by a snapshot."""
EVENT_RING_EVENTS = 65536
MAX_CLIENTS = 32
MAX_BRIEF_CLIENTS = 8
"""Clients with capability `brief`, besides: for programs that attach for one command."""
MAX_CLIENT_NAME_BYTES = 64
HEARTBEAT_INTERVAL_S = 1.0
CLIENT_TIMEOUT_S = 15.0
"""A client that has been silent for this long on an open connection is detached."""
CLIENT_SILENT_S = 6.0
"""One that was silent for longer gives its place to a newcomer when all are taken."""
MAX_RESULTS_KEPT = 4096
"""Command results per boot, so that a repeated command gets its first answer."""
GAUGE_INTERVAL_S = 0.2

VIEW_MESSAGES = 50
VIEW_TEXT_BYTES = 64 * KIB
MAX_DRAFT_BYTES = MAX_TEXT_BYTES
MAX_HISTORY_IDS = 64
"""Messages asked for by their ids in one page: the quotes on a screen."""
MAX_DELIVERY_PACKETS = 16
"""Packets of one message that a `Delivery` names: half of them the first, half the last."""
MAX_HISTORY_ROWS = 256
MAX_HISTORY_BYTES = 512 * KIB
MAX_VIEW_TRANSFERS = 256
"""Ended transfers beyond this leave the view, oldest first; the store keeps them."""
