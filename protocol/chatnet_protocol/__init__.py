"""What both ends of every ChatNet wire agree on: pure code, no I/O, no clock, no randomness."""
