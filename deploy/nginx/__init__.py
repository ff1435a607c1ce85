"""The edge's configuration: one template, rendered for each way of running Parley."""
