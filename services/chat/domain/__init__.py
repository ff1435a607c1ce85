"""Conversations, members, messages: rules, limits and errors, with no I/O."""
