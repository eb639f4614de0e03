"""Who the peers are: keys, trust, invites."""
