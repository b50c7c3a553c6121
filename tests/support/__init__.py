"""What several tests need: a tiny model and a workspace with a log in it."""
