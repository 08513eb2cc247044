# SPDX-License-Identifier: Apache-2.0
"""What the peers share: reading the network and the data, and taking orders on standard input.

A peer is a process, so that its start is not counted and it can be asked for an epoch at a time, in turn with others.
It answers each line of standard input with a line of JSON:

    epoch     trains one epoch: {"seconds": 2.41}
    accuracy  tests: {"accuracy": 0.9853}
"""
import argparse
import gzip
import json
import math
import pathlib
import sys
import time
import tomllib

import numpy


def read_idx(directory, name):
    """An IDX file of bytes, plain or compressed, as an array."""
    path = pathlib.Path(directory) / name
    if path.exists():
        content = path.read_bytes()
    else:
        content = gzip.decompress(path.with_name(name + ".gz").read_bytes())
    rank = content[3]
    sizes = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank)]
    return numpy.frombuffer(content, numpy.uint8, offset=4 + 4 * rank).reshape(sizes)


class Task:
    """The network, its recipe and the data, as every contestant gets them."""

    def __init__(self, arguments):
        description = tomllib.loads(pathlib.Path(arguments.network).read_text())
        self.layers = description["layers"]
        self.shape = description["input"]
        self.recipe = description["training"]
        self.epochs = arguments.epochs
        self.threads = arguments.threads
        images = read_idx(arguments.data, "train-images-idx3-ubyte").reshape(-1, *self.shape)
        tests = read_idx(arguments.data, "t10k-images-idx3-ubyte").reshape(-1, *self.shape)
        self.labels = read_idx(arguments.data, "train-labels-idx1-ubyte").astype(numpy.int64)
        self.test_labels = read_idx(arguments.data, "t10k-labels-idx1-ubyte").astype(numpy.int64)
        mean, deviation = images.mean(), images.std()
        self.images = ((images - mean) / deviation).astype(numpy.float32)
        self.tests = ((tests - mean) / deviation).astype(numpy.float32)
        self.batch_size = self.recipe["batch_size"]
        self.steps = len(self.labels) // self.batch_size + (len(self.labels) % self.batch_size > 0)

    def gain(self, index):
        """What the bound of layer `index`'s initial weights is multiplied by: Touchstone's choice, Glorot and Bengio's 4
        for a layer whose values go into a sigmoid, directly or after a max-pool."""
        following = [layer["type"] for layer in self.layers[index + 1 :] if layer["type"] != "maxpool2d"]
        return 4.0 if following[:1] == ["sigmoid"] else 1.0

    def learning_rate(self, step):
        """Of step 0, 1, ... of the whole run: the recipe's cosine."""
        return self.recipe["learning_rate"] / 2 * (1 + math.cos(math.pi * step / (self.epochs * self.steps)))


def parse_task():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", required=True, help="a network's description in TOML")
    parser.add_argument("--data", required=True, help="a folder with the four IDX files")
    parser.add_argument("--epochs", type=int, required=True, help="over which the learning rate falls to zero")
    parser.add_argument("--threads", type=int, required=True)
    return Task(parser.parse_args())


def serve(version, train_epoch, accuracy):
    """Answers until standard input ends. `train_epoch(index)` trains; `accuracy()` tests."""

    def answer(value):
        print(json.dumps(value), flush=True)

    answer({"version": version})
    epoch = 0
    for line in sys.stdin:
        if line.strip() == "epoch":
            begin = time.perf_counter()
            train_epoch(epoch)
            answer({"seconds": time.perf_counter() - begin})
            epoch += 1
        elif line.strip() == "accuracy":
            answer({"accuracy": accuracy()})
