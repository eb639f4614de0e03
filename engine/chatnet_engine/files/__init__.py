"""File transfers without I/O: state machines, record channel, safe names."""
