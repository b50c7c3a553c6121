"""What is believed of a user over all their conversations, and on which turns it rests."""
