"""Several responses learned together, with their exact or drawn posterior."""
