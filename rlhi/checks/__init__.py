"""What can be seen in a reply without asking its user: its form, whether it answers, and what of."""
