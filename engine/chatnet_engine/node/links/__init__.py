"""Links to peers: whom to dial, what people see of it, and each live link."""
