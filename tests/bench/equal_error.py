"""Who reaches one accuracy sooner: the gradient of 10,000 particles to 10,000 Fashion-MNIST images.

Torch draws 4096 iid directions. Ours draws orthogonal or structured ones, the fewest whose error is no
larger.
The error is the root mean square over particles of the distance between n * g_i and the exact one,
measured here for both, over three draws of directions each.
"""

import gzip
import pathlib

import numpy

from report import Row, Sample

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
COUNT = 10000
TORCH_SLICES = 4096
DRAWS = 3  # of directions, behind each error
MOST_SLICES = 1 << 14


def images(split):
    file = gzip.open(DATA / f"{split}-images-idx3-ubyte.gz")
    return numpy.frombuffer(file.read(), numpy.uint8, offset=16).reshape(-1, 784)


def write_particles(folder):
    """uniform.npy, near.npy (held-out images) and target.npy, (10000, 784) float32 in [0, 1]."""
    folder.mkdir(parents=True, exist_ok=True)
    random = numpy.random.default_rng(1)
    train = images("train")
    chosen = train[random.permutation(len(train))[:COUNT]]
    numpy.save(folder / "target.npy", (chosen / 255).astype(numpy.float32))
    numpy.save(folder / "near.npy", (images("t10k")[:COUNT] / 255).astype(numpy.float32))
    numpy.save(folder / "uniform.npy", random.uniform(size=(COUNT, 784)).astype(numpy.float32))


def exact_velocity(x, y, rows):
    """n * g_i of some particles, in float64 from the definition."""
    def pull(particle, towards):
        difference = particle - towards.astype(numpy.float64)
        distance = numpy.linalg.norm(difference, axis=1, keepdims=True)
        return (difference / numpy.where(distance > 0, distance, 1)).mean(axis=0)

    return numpy.array([pull(x[i].astype(numpy.float64), y) - pull(x[i].astype(numpy.float64), x)
                        for i in rows])


def rms(difference):
    return float(numpy.sqrt((difference.astype(numpy.float64) ** 2).sum(axis=1).mean()))


class Contest:
    """One set of particles against the target, ours along one kind of directions."""

    def __init__(self, ours, torch, folder, particles, directions):
        self.ours, self.torch, self.folder, self.directions = ours, torch, folder, directions
        self.files = {"x": str(folder / f"{particles}.npy"), "y": str(folder / "target.npy")}
        self.out = str(folder / "gradient.npy")
        self.exact = self.velocity(
            lambda: ours.run("exact_gradient", **self.files, out=self.out))
        self.check_exact()

    def velocity(self, compute):
        compute()
        return numpy.load(self.out) * COUNT

    def check_exact(self):
        """The yardstick itself: by definition on 20 particles, by torch on all."""
        x, y = numpy.load(self.files["x"]), numpy.load(self.files["y"])
        rows = numpy.arange(0, COUNT, COUNT // 20)
        by_definition = rms(exact_velocity(x, y, rows) - self.exact[rows])
        by_torch = rms(self.velocity(
            lambda: self.torch.ask(op="exact_gradient", **self.files, out=self.out)) - self.exact)
        # Slicing errors here are about 0.1 to 0.5; torch's own float32 rounding is the larger part.
        if not (by_definition < 1e-3 and by_torch < 5e-3):
            raise RuntimeError(f"exact gradients disagree: {by_definition} from the definition, "
                               f"{by_torch} from torch")

    def our_error(self, slices):
        errors = [rms(self.velocity(lambda: self.ours.run(
            "sliced_gradient", slices=slices, **self.files, directions=self.directions,
            seed=1000 * draw, out=self.out)) - self.exact) for draw in range(1, DRAWS + 1)]
        return float(numpy.sqrt(numpy.mean(numpy.square(errors))))

    def fewest_slices(self, error):
        """The least count whose error is at most `error`, to half a percent.

        The error has a low at each whole block of 784 directions and rises before it falls again,
        so whole blocks are tried first and the last one is then cut down.
        """
        high = 784
        while self.our_error(high) > error:
            high += 784
            if high > MOST_SLICES:
                raise RuntimeError(f"no count up to {MOST_SLICES} reaches the error {error}")
        low = high - 784
        while high - low > high // 200:
            middle = (low + high) // 2
            low, high = (low, middle) if self.our_error(middle) <= error else (middle, high)
        return high

    def race(self, case, rounds, bar):
        request = dict(op="sliced_gradient", slices=TORCH_SLICES, **self.files, out=self.out)
        torch_error = float(numpy.sqrt(numpy.mean([
            rms(self.velocity(lambda: self.torch.ask(**request)) - self.exact) ** 2
            for _ in range(DRAWS)])))
        slices = self.fewest_slices(torch_error)
        ours, theirs = Sample(), Sample()
        for _ in range(rounds):
            theirs.append(self.torch.ask(**request)["seconds"])
            ours.append(self.ours.seconds("sliced_gradient", slices=slices, **self.files,
                                          directions=self.directions))
        return Row(case, ours, self.torch.name, theirs, bar=bar,
                   note=f"error {self.our_error(slices):.4f} with {slices} {self.directions} slices, "
                        f"{torch_error:.4f} with {TORCH_SLICES} iid")
