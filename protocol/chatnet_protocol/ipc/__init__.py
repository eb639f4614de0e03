"""Frames between an engine and its front ends: commands, events, envelope, and the view."""
