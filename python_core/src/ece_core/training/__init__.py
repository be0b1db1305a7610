"""Training from a config and a seed: `ece train TASK CONFIG`."""
