"""Offers and transfers, between the files package and the rest of the node."""
