"""What there is to tell of a fit: facts, and renderings of them."""
