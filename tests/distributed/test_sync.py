"""`norm: sync` on two ranks is BatchNorm over all their images: the gathering arithmetic alone (no GPU is needed)."""

import torch
import torch.nn.functional as F

from tests.distributed import sync, world


def test_the_statistics_of_two_uneven_ranks_are_those_of_all_images(tmp_path):
    world.run(sync.share, 2, tmp_path)
    parts = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    images, importance, scale, offset = sync.problem()
    mean, variance = torch.zeros(sync.CHANNELS).double(), torch.ones(sync.CHANNELS).double()
    images.requires_grad_()
    scale.requires_grad_()
    output = F.batch_norm(images, mean, variance, scale, offset, True, sync.MOMENTUM, sync.EPS)
    (output * importance).sum().backward()
    torch.testing.assert_close(torch.cat([part[0] for part in parts]), output.detach())
    torch.testing.assert_close(torch.cat([part[1] for part in parts]), images.grad)
    torch.testing.assert_close(parts[0][2] + parts[1][2], scale.grad)  # DDP adds these up
    for part in parts:
        torch.testing.assert_close(part[3], mean)
        torch.testing.assert_close(part[4], variance)
