"""What `chatnet VERB` does: one function per verb, `(Environment, options) -> ExitStatus`."""
