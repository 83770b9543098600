"""The arithmetic of a block of rows; every kernel does what the NumPy one does."""
