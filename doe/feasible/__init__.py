"""What a factor space allows: contradictions found, settings drawn, settings restored."""
