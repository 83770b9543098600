"""How sure a fit is of its parameters, and of its number of components."""
