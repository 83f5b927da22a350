"""What a fit says in tables: analysis of variance, statistics, coefficients, fit summary."""
