# SPDX-License-Identifier: Apache-2.0
"""JAX, a training step as one compiled function."""
import os

from protocol import parse_task, serve

task = parse_task()
os.environ.setdefault("XLA_FLAGS", f"--xla_cpu_multi_thread_eigen={'true' if task.threads > 1 else 'false'}")
if task.threads == 1:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import jax  # noqa: E402  (its settings are read when it is imported)
import jax.numpy as jnp  # noqa: E402
import numpy  # noqa: E402


def initial_parameters():
    key = jax.random.PRNGKey(1)
    parameters = []
    channels, height, width = task.shape
    for index, layer in enumerate(task.layers):
        kind = layer["type"]
        key, own = jax.random.split(key)
        # Its scale is a factor of the variance.
        glorot = jax.nn.initializers.variance_scaling(
            task.gain(index) ** 2, "fan_avg", "uniform", in_axis=1, out_axis=0
        )
        if kind == "conv2d":
            kernel, padding = layer["kernel"], layer.get("padding", 0)
            shape = (layer["filters"], channels, kernel, kernel)
            parameters.append((glorot(own, shape), jnp.zeros(layer["filters"])))
            channels = layer["filters"]
            height, width = height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1
        elif kind == "maxpool2d":
            height, width = height // layer["kernel"], width // layer["kernel"]
            parameters.append(())
        elif kind == "dense":
            shape = (layer["units"], channels * height * width)
            parameters.append((glorot(own, shape), jnp.zeros(layer["units"])))
        else:
            parameters.append(())
    return parameters


def logits(parameters, x):
    for layer, own in zip(task.layers, parameters):
        kind = layer["type"]
        if kind == "conv2d":
            padding = layer.get("padding", 0)
            x = jax.lax.conv_general_dilated(x, own[0], (1, 1), [(padding, padding)] * 2) + own[1][:, None, None]
        elif kind == "sigmoid":
            x = jax.nn.sigmoid(x)
        elif kind == "maxpool2d":
            window = (1, 1, layer["kernel"], layer["kernel"])
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")
        elif kind == "flatten":
            x = x.reshape(x.shape[0], -1)
        elif kind == "dense":
            x = x @ own[0].T + own[1]
        else:
            raise SystemExit(f"this peer has no layer {kind}")
    return x


def loss(parameters, x, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits(parameters, x)), y[:, None], 1).mean()


@jax.jit
def train_step(parameters, momenta, images, labels, samples, rate):
    gradients = jax.grad(loss)(parameters, images[samples], labels[samples])
    momenta = jax.tree.map(lambda m, g: task.recipe["momentum"] * m + g, momenta, gradients)
    return jax.tree.map(lambda p, m: p - rate * m, parameters, momenta), momenta


def main():
    images, labels = jnp.asarray(task.images), jnp.asarray(task.labels)
    state = {"parameters": initial_parameters()}
    state["momenta"] = jax.tree.map(jnp.zeros_like, state["parameters"])
    generator = numpy.random.default_rng(1)

    def train_epoch(epoch):
        order = generator.permutation(len(task.labels))
        for step in range(task.steps):
            samples = order[step * task.batch_size : (step + 1) * task.batch_size]
            rate = task.learning_rate(epoch * task.steps + step)
            state["parameters"], state["momenta"] = train_step(
                state["parameters"], state["momenta"], images, labels, samples, rate
            )
        jax.block_until_ready(state["parameters"])

    def accuracy():
        right = 0
        for i in range(0, len(task.test_labels), 1000):
            chosen = jax.jit(logits)(state["parameters"], task.tests[i : i + 1000]).argmax(1)
            right += int((chosen == task.test_labels[i : i + 1000]).sum())
        return right / len(task.test_labels)

    serve(jax.__version__, train_epoch, accuracy)


main()
