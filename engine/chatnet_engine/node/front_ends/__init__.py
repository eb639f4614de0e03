"""The front ends: who is attached, what they ask about, what they are given."""
