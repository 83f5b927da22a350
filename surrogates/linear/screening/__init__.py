"""Which effects are active, and which terms a model should have."""
