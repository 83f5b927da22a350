"""What to run next: strategies, what a run is worth, the search for it, and the reasons."""
