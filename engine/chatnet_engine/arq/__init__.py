"""Reliable ordered messages over datagrams; knows nothing of chat, keys, addresses or clocks."""
