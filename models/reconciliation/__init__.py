"""What providers list, compared with our rows: both ways, and without asking them here."""
