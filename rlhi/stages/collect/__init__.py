"""The stages of the collect flow: ingest -> feedback -> personas."""
