"""Gaussian processes on BoTorch: mixed factors, blocks as random effects, exact fast algebra."""
