// SPDX-License-Identifier: Apache-2.0
#include "touchstone/device_operations.h"

#include <fmt/format.h>

#include "touchstone/error.h"

namespace touchstone {

void DeviceOperations::copy(std::int64_t /*count*/, const float* /*source*/, float* /*target*/) {
  throw UsageError(fmt::format("how fast {} could be is not known: it has no copy to measure", device()));
}

std::int64_t DeviceOperations::multiply_add(std::int64_t /*rounds*/) {
  throw UsageError(fmt::format("how fast {} could be is not known: it has no multiply-adds to measure", device()));
}

std::int64_t DeviceOperations::multiply_add_double(std::int64_t /*rounds*/) {
  throw UsageError(fmt::format("how fast {} could be in double precision is not known", device()));
}

}  // namespace touchstone
