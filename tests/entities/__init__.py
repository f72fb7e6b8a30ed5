"""What users set and ask for, and what they are told of: numbers, switches, buttons and events."""
