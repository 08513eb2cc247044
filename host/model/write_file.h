// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string_view>

namespace touchstone {

/// Replaces `file` by the given parts, one after the other: written beside it, forced to the disk, then renamed, so
/// that there is always either the old file or the whole new one. Throws Error naming the file and the system's reason.
void write_file(const std::filesystem::path& file, std::initializer_list<std::span<const std::byte>> parts);

/// The same for text.
void write_file(const std::filesystem::path& file, std::string_view text);

}  // namespace touchstone
