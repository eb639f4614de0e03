"""What schema version 3 added about transfers."""

GIVEN_PATHS = """
ALTER TABLE transfers ADD COLUMN given BLOB NOT NULL DEFAULT x'';
"""
"""Schema version 3: digest of the paths that an own offer was made of, or empty."""

LISTINGS = """
CREATE TABLE listings (
    id BLOB PRIMARY KEY REFERENCES transfers (id),
    listing BLOB NOT NULL
) STRICT;
"""
"""Schema version 3: what of a transfer does not change, so that each step of it stores little."""

TRANSFER_FACTS = """
ALTER TABLE transfers ADD COLUMN kind TEXT NOT NULL DEFAULT 'file';
ALTER TABLE transfers ADD COLUMN things INTEGER NOT NULL DEFAULT 1;
ALTER TABLE transfers ADD COLUMN differences BLOB NOT NULL DEFAULT x'';
"""
"""Schema version 3: what was chosen to be sent, and what of it does not arrive as it is (a packed
Differences, or empty)."""

UPDATES = """
CREATE TABLE digests (
    id BLOB PRIMARY KEY REFERENCES transfers (id),
    digests BLOB NOT NULL
) STRICT;
ALTER TABLE transfers ADD COLUMN is_update INTEGER NOT NULL DEFAULT 0;
ALTER TABLE transfers ADD COLUMN updates_allowed INTEGER NOT NULL DEFAULT 0;
"""
"""Schema version 3: what the files of a received folder were (BLAKE3, 32 bytes each, in the order
of the offer), and whether a later offer may take its place."""
