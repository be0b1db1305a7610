import numpy as np
from ece_core.preprocessing import window


def test_the_window_of_gmgenet_maps_minus_and_plus_400_to_0_and_1():
    assert window(np.array([-1000, -400, 0, 400, 3000])).tolist() == [0, 0, 0.5, 1, 1]
