# SPDX-License-Identifier: Apache-2.0
"""PyTorch in its fastest mode for convolutions on a CPU: channels last, the whole set normalised in advance."""
import torch
from torch import nn

from protocol import parse_task, serve


def build(task):
    layers = []
    channels, height, width = task.shape
    for layer in task.layers:
        kind = layer["type"]
        if kind == "conv2d":
            kernel, padding = layer["kernel"], layer.get("padding", 0)
            layers.append(nn.Conv2d(channels, layer["filters"], kernel, padding=padding))
            channels = layer["filters"]
            height, width = height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1
        elif kind == "sigmoid":
            layers.append(nn.Sigmoid())
        elif kind == "maxpool2d":
            layers.append(nn.MaxPool2d(layer["kernel"]))
            height, width = height // layer["kernel"], width // layer["kernel"]
        elif kind == "flatten":
            layers.append(nn.Flatten())
        elif kind == "dense":
            layers.append(nn.Linear(channels * height * width, layer["units"]))
        else:
            raise SystemExit(f"this peer has no layer {kind}")
    for index, layer in enumerate(layers):
        if hasattr(layer, "weight"):
            nn.init.xavier_uniform_(layer.weight, task.gain(index))
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def main():
    task = parse_task()
    torch.set_num_threads(task.threads)
    torch.manual_seed(1)
    model = build(task)
    images = torch.from_numpy(task.images).contiguous(memory_format=torch.channels_last)
    labels = torch.from_numpy(task.labels)
    tests = torch.from_numpy(task.tests).contiguous(memory_format=torch.channels_last)
    test_labels = torch.from_numpy(task.test_labels)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=task.recipe["learning_rate"], momentum=task.recipe["momentum"]
    )

    def train_epoch(epoch):
        order = torch.randperm(len(labels))
        for step in range(task.steps):
            samples = order[step * task.batch_size : (step + 1) * task.batch_size]
            for group in optimizer.param_groups:
                group["lr"] = task.learning_rate(epoch * task.steps + step)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[samples]), labels[samples]).backward()
            optimizer.step()

    def accuracy():
        with torch.no_grad():
            right = sum(
                (model(tests[i : i + 1000]).argmax(1) == test_labels[i : i + 1000]).sum().item()
                for i in range(0, len(test_labels), 1000)
            )
        return right / len(test_labels)

    serve(torch.__version__, train_epoch, accuracy)


main()
