"""The stages of the evaluate flow: evaluate -> drift -> gate."""
