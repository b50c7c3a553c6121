"""What makes a row of a log acceptable: known users and languages, no copies, no templates."""
