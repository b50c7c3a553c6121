"""What people ask for in words, as claims that a persona can hold."""
