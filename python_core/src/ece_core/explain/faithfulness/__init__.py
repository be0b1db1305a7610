"""How far a heatmap can be trusted: measures of a map, of what the network does without the voxels it points at, and
of how the map changes when the weights or the noise do. No one of them proves a map right; a bad one proves it wrong.
"""
