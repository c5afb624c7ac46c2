"""Live views: what is served to pages: scenes that a program changes, and viewers of any engine."""
