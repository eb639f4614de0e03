"""The network engine: keeps the link to each peer, owns the history, serves front ends."""
