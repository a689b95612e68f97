"""The tree by hand: which node descends from which, who hears of whom, shapes."""

from __future__ import annotations

import pytest
import torch

from hgcal_gnn.generation.graph.tree_networks import Level, Tree, check_shape, descendants

N_TOLD = 3


def made_tree() -> Tree:
    """2 x 3 leaves of 4 numbers."""
    torch.manual_seed(0)
    return Tree((2, 3), (5, 4, 3), 4, n_told=N_TOLD, n_globals=2, hidden=8, noise=1)


def test_descendants_stand_beside_each_other():
    """Two nodes with three children each: the first three are those of the first."""
    x = torch.tensor([[[1.0], [2.0]]])
    assert descendants(x, 6).flatten().tolist() == [1, 1, 1, 2, 2, 2]
    assert descendants(x[:, :1], 6).flatten().tolist() == [1] * 6


def test_leaves_of_a_tree():
    tree = made_tree()
    told = torch.randn(7, N_TOLD)
    assert tree.n_leaves == 6
    assert tree(told).shape == (7, 6, 4)
    one, same, other = (tree(told, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_node_speaks_to_its_descendants_only():
    """Nodes learn of each other through what all have in common; without it, of their ancestors alone."""
    torch.manual_seed(0)
    level = Level(3, (5, 4, 3), N_TOLD, 2, 8, noise=0).double()
    torch.nn.init.zeros_(level.post[-1].weight)
    told = torch.randn(1, N_TOLD, dtype=torch.float64)
    root, nodes = torch.randn(1, 1, 5, dtype=torch.float64), torch.randn(1, 2, 4, dtype=torch.float64)
    before = level([root, nodes], told, None)
    assert before.shape == (1, 6, 3)
    moved = nodes.clone()
    moved[0, 1] += 1
    changed = (level([root, moved], told, None) != before).any(dim=2)[0]
    assert changed.tolist() == [False] * 3 + [True] * 3
    assert (level([root + 1, nodes], told, None) != before).any(dim=2).all()  # the ancestor of all


def test_messages_are_sums_over_all_ancestors():
    """x + network((1 + eps) x + W_0 root + W_1 parent), written out for one child."""
    torch.manual_seed(0)
    level = Level(2, (5, 4, 3), N_TOLD, 2, 8, noise=0).double()
    with torch.no_grad():
        level.eps.fill_(0.5)
    told = torch.randn(1, N_TOLD, dtype=torch.float64)
    root, nodes = torch.randn(1, 1, 5, dtype=torch.float64), torch.randn(1, 2, 4, dtype=torch.float64)
    found = level([root, nodes], told, None)[0, 3]  # second child of the second node
    in_common = level.post(torch.cat([level.pre(nodes).mean(dim=1), told], dim=1))
    children = level.branch(nodes, torch.cat([told, in_common], dim=1))[0, 1, 4:] + nodes[0, 1]
    x = level.reduce(children)
    heard = 1.5 * x + level.ancestors[0](root[0, 0]) + level.ancestors[1](nodes[0, 1])
    torch.testing.assert_close(found, x + level.update(heard))


def test_showers_do_not_see_each_other():
    tree = made_tree().double()
    told = torch.randn(4, N_TOLD, dtype=torch.float64)
    whole = tree(told, torch.Generator().manual_seed(1))
    changed = told.clone()
    changed[2] += 1
    other = tree(changed, torch.Generator().manual_seed(1))
    assert (other != whole).any(dim=2).any(dim=1).tolist() == [False, False, True, False]


def test_every_weight_learns():
    tree = made_tree()
    tree(torch.randn(3, N_TOLD)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in tree.parameters())


@pytest.mark.parametrize(
    ("branches", "widths", "expected"),
    [((2, 3), (4, 3), "root and each of 2 levels"), ((2, 3), (4, 3, 5), "must not grow")],
)
def test_shapes_that_make_no_tree(branches, widths, expected):
    with pytest.raises(ValueError, match=expected):
        check_shape(branches, widths)
