"""All that must be decided inside a transaction, on one sqlite3 connection, synchronously."""
