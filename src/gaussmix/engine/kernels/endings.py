"""How compiled passes over a small problem end."""

GOING, UNABLE, FELL, SETTLED = 0, 1, 2, 3
"""They may go on; the last M-step needs the general code; the objective fell; the rule is met, or cannot be."""
