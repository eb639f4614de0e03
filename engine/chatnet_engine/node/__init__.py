"""One user's whole engine minus I/O: commands and datagrams in, effects out."""
