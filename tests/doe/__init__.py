"""Tests of what an experiment is."""
