"""Linear models by least squares: exact, and without torch."""
