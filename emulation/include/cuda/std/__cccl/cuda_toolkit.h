// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where Thrust comes from the CUDA toolkit (CCCL), it learns from its header of this name that there is a toolkit, and
// then mixes NVIDIA's headers with the emulated ones. On the emulated device there is none.
// NOLINTBEGIN(bugprone-reserved-identifier): these are CCCL's names
#define _CCCL_HAS_CTK() 0
#define _CCCL_CTK_BELOW(...) 0
#define _CCCL_CTK_AT_LEAST(...) 0
// NOLINTEND(bugprone-reserved-identifier)
