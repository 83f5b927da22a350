"""Desirability: several responses in one number, and every setting at which it is best nearby."""
