"""How one pass over the rows is made."""
