"""Texts, drafts and marks: the durable conversation with each peer."""
