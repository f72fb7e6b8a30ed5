"""What is told to those who help: diagnostics and system information; and what the backup is given."""
