"""From a delivered frame to a settled one, the same for every transport."""
