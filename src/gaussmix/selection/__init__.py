"""How many components, and of which shape."""
