"""The command line, over the public API only: it can do nothing that Python cannot."""
