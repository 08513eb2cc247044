// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Everything at once: the operations with their references, data sets, networks, models, training.
#include "touchstone/accuracy.h"
#include "touchstone/conv2d.h"
#include "touchstone/dataset.h"
#include "touchstone/dense.h"
#include "touchstone/device.h"
#include "touchstone/device_operations.h"
#include "touchstone/error.h"
#include "touchstone/executor.h"
#include "touchstone/gather.h"
#include "touchstone/image.h"
#include "touchstone/maxpool.h"
#include "touchstone/model.h"
#include "touchstone/network.h"
#include "touchstone/optimizer.h"
#include "touchstone/plan.h"
#include "touchstone/random.h"
#include "touchstone/schedule.h"
#include "touchstone/sigmoid.h"
#include "touchstone/softmax_cross_entropy.h"
#include "touchstone/training.h"
