"""What we change in TRL's trainers."""
