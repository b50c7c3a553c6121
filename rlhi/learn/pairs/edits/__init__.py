"""An answer on the topic, edited by program until it is as a user wishes."""
