"""Where a fit begins: ways to a first partition or mixture."""
