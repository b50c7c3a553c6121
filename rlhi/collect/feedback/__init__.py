"""What a follow-up says of the answer before it: labels, and what the complaint asks for."""
