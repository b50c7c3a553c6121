"""Language models as judges: pairs of answers in both orders, how well each judges, and how far they agree."""
