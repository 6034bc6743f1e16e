"""Networks that others measured GPUs with, as launches of a fused engine, computed from their published architectures.

Counts are for one image. Convolutions take in their normalisation, activation and the sum with a shortcut; nothing is
random, so nothing differs between passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from archsim.baselines.network import Kernel

Launches = tuple[Kernel, ...]

_RESNET50 = ((3, 64), (4, 128), (6, 256), (3, 512))  # bottlenecks of a stage, and their inner channels
_MOBILENET = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)  # channels of its blocks
_MOBILENET_HALVES = (2, 4, 6, 12)  # the blocks that halve the side
_SSD_EXTRAS = ((256, 512), (128, 256), (128, 256), (64, 128))  # inner and outer channels; each halves the side
_NASBENCH_CHANNELS = (16, 32, 64)
_NASBENCH_CELLS = 5  # of a stage


def resnet50() -> Launches:
    """Return ResNet-50 v1.5 at 224 x 224, as MLPerf runs it.

    He et al., "Deep Residual Learning" (CVPR 2016), table 1; v1.5 has its strides in the 3 x 3 convolutions. 53
    convolutions and a fully connected layer, 4.09 G multiply-accumulates, 25.5 M weights, and two poolings.
    """
    return tuple(_resnet50())


def resnet50_mlperf() -> Launches:
    """Return ResNet-50 as the engines of NVIDIA's MLPerf submissions launch it.

    All layers of the first stage are one kernel, RES2_FULL_FUSION, whose maps in between never leave the chip
    (closed/NVIDIA/code/resnet50/tensorrt/README.md in the results of MLPerf Inference v1.1, READ).
    """
    launches = resnet50()
    return (*launches[:2], _fused("stage 1", launches[2:12], launches[2].inputs), *launches[12:])


def resnet50_mlperf_xavier() -> Launches:
    """Return ResNet-50 as those engines launch it on a Xavier: of the first stage, pairs of layers are one kernel.

    RnRes2Br1Br2c joins the shortcut of the first block with its last convolution, RnRes2Br2bBr2c the last two
    convolutions of the others (READ in the same place).
    """
    reduce, spatial, shortcut, expand, *others = resnet50()[2:12]
    joined = _fused("stage 1 block 1 shortcut and expand", (shortcut, expand), shortcut.inputs + spatial.outputs)
    first = (reduce, spatial, joined)
    blocks = (others[:3], others[3:])
    pairs = [
        kernel
        for number, (before, middle, last) in enumerate(blocks, start=2)
        for kernel in (
            before,
            _fused(f"stage 1 block {number} spatial and expand", (middle, last), middle.inputs + last.outputs),
        )
    ]
    return (*resnet50()[:2], *first, *pairs, *resnet50()[12:])


def ssd_mobilenet() -> Launches:
    """Return SSD with MobileNet-v1 at 300 x 300, as MLPerf Inference v1.1 runs it, up to its boxes and scores.

    Howard et al., "MobileNets" (2017), table 1, without its classifier, and the feature maps and heads of Liu et al.,
    "SSD" (ECCV 2016), for 91 classes. 1.23 G multiply-accumulates. ASSUMED: the suppression of overlapping boxes that
    follows is one more kernel, of no work.
    """
    return tuple(_ssd_mobilenet())


def nasbench201(wide: int, narrow: int, pools: int, size: int) -> Launches:
    """Return a network of NAS-Bench-201 for images of `size` x `size`, by what is on the six edges of its cells.

    `wide`, `narrow`, `pools`: edges with a 3 x 3 convolution, a 1 x 1 convolution, an average pooling; the others are
    plain connections. Dong, Yang, "NAS-Bench-201" (ICLR 2020): a stem, three stages of five cells with 16, 32 and 64
    channels, and a residual block before the second and the third. ASSUMED: the three sums of a cell are kernels of
    their own, as they have two or more producers.
    """
    return tuple(_nasbench201(wide, narrow, pools, size))


NETWORKS: Mapping[str, Callable[[], Launches]] = MappingProxyType(
    {
        "resnet50": resnet50,
        "resnet50_mlperf": resnet50_mlperf,
        "resnet50_mlperf_xavier": resnet50_mlperf_xavier,
        "ssd_mobilenet": ssd_mobilenet,
        # No. 0: |avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|
        "nasbench201_0_32x32": lambda: nasbench201(wide=0, narrow=2, pools=1, size=32),
        "nasbench201_0_16x16": lambda: nasbench201(wide=0, narrow=2, pools=1, size=16),
        # of No. 1 and No. 2 the published count of operations gives the 3 x 3 convolutions; the pooling is ASSUMED
        "nasbench201_1_32x32": lambda: nasbench201(wide=3, narrow=0, pools=1, size=32),
        "nasbench201_2_32x32": lambda: nasbench201(wide=2, narrow=0, pools=1, size=32),
    }
)


def _resnet50() -> Iterator[Kernel]:
    yield _conv("stem", 224, 3, 112, 64, 7)
    yield _pool("max pool", 112, 56, 64)
    side, channels = 56, 64
    for stage, (blocks, width) in enumerate(_RESNET50, start=1):
        for block in range(blocks):
            name = f"stage {stage} block {block + 1}"
            smaller = side // 2 if stage > 1 and block == 0 else side
            yield _conv(f"{name} reduce", side, channels, side, width, 1)
            yield _conv(f"{name} spatial", side, width, smaller, width, 3)
            if block == 0:
                yield _conv(f"{name} shortcut", side, channels, smaller, 4 * width, 1)
            yield _conv(f"{name} expand", smaller, width, smaller, 4 * width, 1, added=True)
            side, channels = smaller, 4 * width
    yield _pool("average pool", side, 1, channels)
    yield _conv("classifier", 1, channels, 1, 1000, 1)


def _ssd_mobilenet() -> Iterator[Kernel]:
    side, channels = 150, 32
    yield _conv("stem", 300, 3, side, channels, 3)
    maps = []  # what the heads look at
    for block, width in enumerate(_MOBILENET, start=1):
        smaller = -(-side // 2) if block in _MOBILENET_HALVES else side
        yield _depthwise(f"block {block} spatial", side, smaller, channels)
        yield _conv(f"block {block} expand", smaller, channels, smaller, width, 1)
        side, channels = smaller, width
        if block in (11, 13):
            maps.append((side, channels))
    for extra, (inner, outer) in enumerate(_SSD_EXTRAS, start=1):
        smaller = -(-side // 2)
        yield _conv(f"extra {extra} reduce", side, channels, side, inner, 1)
        yield _conv(f"extra {extra} spatial", side, inner, smaller, outer, 3)
        side, channels = smaller, outer
        maps.append((side, channels))
    for head, (side, channels) in enumerate(maps, start=1):
        boxes = 3 if head == 1 else 6  # at each position
        yield _conv(f"head {head} boxes", side, channels, side, 4 * boxes, 1)
        yield _conv(f"head {head} classes", side, channels, side, 91 * boxes, 1)
    found = sum((3 if i == 0 else 6) * side**2 for i, (side, _) in enumerate(maps))
    yield Kernel("suppression", 0, 0, 95 * found, 100, repeated=False, spreads=False)


def _nasbench201(wide: int, narrow: int, pools: int, size: int) -> Iterator[Kernel]:
    yield _conv("stem", size, 3, size, _NASBENCH_CHANNELS[0], 3)
    side, before = size, _NASBENCH_CHANNELS[0]
    for stage, channels in enumerate(_NASBENCH_CHANNELS, start=1):
        if stage > 1:
            name, smaller = f"reduction {stage - 1}", side // 2
            yield _conv(f"{name} first", side, before, smaller, channels, 3)
            yield _pool(f"{name} pool", side, smaller, before)
            yield _conv(f"{name} shortcut", smaller, before, smaller, channels, 1)
            yield _conv(f"{name} second", smaller, channels, smaller, channels, 3, added=True)
            side, before = smaller, channels
        for cell in range(_NASBENCH_CELLS):
            name = f"stage {stage} cell {cell + 1}"
            for kind, count, window in (("wide", wide, 3), ("narrow", narrow, 1)):
                for edge in range(count):
                    yield _conv(f"{name} {kind} {edge + 1}", side, channels, side, channels, window)
            for edge in range(pools):
                yield _pool(f"{name} pool {edge + 1}", side, side, channels)
            for node in range(3):
                yield _sum(f"{name} sum {node + 1}", side, channels)
    yield _pool("average pool", side, 1, before)
    yield _conv("classifier", 1, before, 1, 10, 1)


def _fused(name: str, launches: Sequence[Kernel], inputs: int) -> Kernel:
    """Return launches as one, which reads so many values and writes those of the last."""
    return Kernel(
        name,
        operations=sum(kernel.operations for kernel in launches),
        weights=sum(kernel.weights for kernel in launches),
        inputs=inputs,
        outputs=launches[-1].outputs,
        repeated=False,
        spreads=False,
    )


def _conv(
    name: str, side: int, inward: int, outward_side: int, outward: int, window: int, added: bool = False
) -> Kernel:
    """Return a convolution of square maps; `added`: another map is added to its outputs, and so read."""
    weights, outputs = inward * outward * window**2, outward * outward_side**2
    return Kernel(
        name,
        operations=2 * weights * outward_side**2,
        weights=weights,
        inputs=inward * side**2 + (outputs if added else 0),
        outputs=outputs,
        repeated=False,
        spreads=False,
    )


def _depthwise(name: str, side: int, outward_side: int, channels: int) -> Kernel:
    """Return a 3 x 3 convolution of each channel on its own."""
    weights, outputs = 9 * channels, channels * outward_side**2
    return Kernel(name, 18 * outputs, weights, channels * side**2, outputs, repeated=False, spreads=False)


def _pool(name: str, side: int, outward_side: int, channels: int) -> Kernel:
    inputs = channels * side**2
    return Kernel(name, inputs, 0, inputs, channels * outward_side**2, repeated=False, spreads=False)


def _sum(name: str, side: int, channels: int) -> Kernel:
    values = channels * side**2
    return Kernel(name, values, 0, 2 * values, values, repeated=False, spreads=False)
