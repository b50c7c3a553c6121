"""What a person types: `rlhi ...`, a module for each group of commands."""
