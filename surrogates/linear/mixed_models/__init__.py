"""Linear models with random whole plots, blocks and lots."""
