"""Bytes between two engines: datagrams, frames, messages, file records."""
