// SPDX-License-Identifier: Apache-2.0
// Trains the network `seed` on MNIST for an epoch and saves it: what `touchstone train --epochs 1` does, in C++.
#include <iostream>

#include <touchstone/touchstone.h>

int main() {
  try {
    const touchstone::Network network = touchstone::Network::named("seed");
    touchstone::TrainingSettings settings;
    settings.recipe = network.recipe();
    settings.recipe.epochs = 1;

    const touchstone::TrainingResult result = touchstone::train(network, touchstone::load_mnist(), settings);
    result.model.save("mnist.safetensors");
    std::cout << "test accuracy " << *result.test_accuracy << '\n';
  } catch (const touchstone::Error& error) {
    std::cerr << "train_mnist: " << error.what() << '\n';
    return 1;
  }
}
