import numpy as np
from ece_core.training.earlier_stage import as_channels, disturbed


def test_each_label_has_its_channel():
    channels = as_channels(np.array([[[0, 1, 2, 2]]]), 3)
    assert channels[:, 0, 0].tolist() == [[0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]]


def test_disturbed_labels_grow_shrink_and_vanish_but_none_is_invented():
    found = np.zeros((12, 24, 24), int)
    found[3:8, 4:10, 4:10], found[4:8, 14:20, 14:20] = 1, 3
    before, changes = found.copy(), []
    for seed in range(60):
        changed = disturbed(found, 3, np.random.default_rng(seed))
        assert set(np.unique(changed)) <= {0, 1, 3}
        changes.append(int((changed > 0).sum() - (found > 0).sum()))
    assert np.array_equal(found, before), "a copy"
    assert min(changes) < 0 < max(changes)
    assert 0 in changes
    sizes = {int((disturbed(found, 3, np.random.default_rng(s)) == 1).sum()) for s in range(60)}
    assert 0 in sizes, "a component can be dropped"
