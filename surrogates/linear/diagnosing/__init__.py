"""Whether a fit can be trusted: residuals, influence, transformations."""
