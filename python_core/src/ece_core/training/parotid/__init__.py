"""The parotid paper (Strijbis et al. 2025) made again: its network, loss, synthetic heads, real parotids and maps."""
