"""Where a second-order surface leads: stationary point, ridge, steepest ascent."""
