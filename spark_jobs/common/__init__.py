"""What the entry modules share."""
