"""The stages of the learn flow: rewrites and candidates -> reward -> pairs -> dpo."""
