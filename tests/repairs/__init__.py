"""What a person must mend, as Home Assistant shows it."""
