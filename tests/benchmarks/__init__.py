"""Measurements of whole engines on this machine, each beside a bare control in the same run."""
