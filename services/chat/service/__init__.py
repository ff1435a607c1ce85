"""Use cases of chat; everything outside comes in through `ports`."""
