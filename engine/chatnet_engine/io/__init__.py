"""The only code that sees sockets, threads, processes, the clock and randomness."""
