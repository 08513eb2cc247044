// SPDX-License-Identifier: Apache-2.0
#include "emulation/symbols.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>

namespace touchstone::emulation {
namespace {

/// Where a function lies: in which file, loaded at which address.
struct Location {
  std::string file;
  std::uintptr_t base = 0;
};

struct Search {
  std::uintptr_t address;
  std::optional<Location> found;
};

std::optional<Location> locate(const void* function) {
  Search search{reinterpret_cast<std::uintptr_t>(function), std::nullopt};
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t /*size*/, void* data) {
        auto& wanted = *static_cast<Search*>(data);
        for (int index = 0; index < object->dlpi_phnum; ++index) {
          const auto& segment = object->dlpi_phdr[index];
          const std::uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
          if (segment.p_type == PT_LOAD && wanted.address >= begin && wanted.address < begin + segment.p_memsz) {
            const std::string name = object->dlpi_name;
            wanted.found = Location{name.empty() ? "/proc/self/exe" : name, object->dlpi_addr};
            return 1;
          }
        }
        return 0;
      },
      &search);
  return search.found;
}

template <class T>
std::vector<T> read_table(std::ifstream& file, std::uint64_t offset, std::uint64_t bytes) {
  std::vector<T> table(bytes / sizeof(T));
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(reinterpret_cast<char*>(table.data()), static_cast<std::streamsize>(table.size() * sizeof(T)));
  return file ? table : std::vector<T>();
}

using SymbolTable = std::map<std::uintptr_t, std::string>;

/// The functions of an ELF file by their addresses within it.
SymbolTable read_symbols(const std::string& path) {
  SymbolTable functions;
  std::ifstream file(path, std::ios::binary);
  const auto header = read_table<Elf64_Ehdr>(file, 0, sizeof(Elf64_Ehdr));
  if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0 ||
      header[0].e_ident[EI_CLASS] != ELFCLASS64) {
    return functions;
  }
  const auto sections =
      read_table<Elf64_Shdr>(file, header[0].e_shoff, std::uint64_t{header[0].e_shnum} * sizeof(Elf64_Shdr));
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) {
      continue;
    }
    const auto names = read_table<char>(file, sections[section.sh_link].sh_offset, sections[section.sh_link].sh_size);
    for (const Elf64_Sym& symbol : read_table<Elf64_Sym>(file, section.sh_offset, section.sh_size)) {
      if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_value != 0 && symbol.st_name < names.size()) {
        functions.emplace(symbol.st_value, names.data() + symbol.st_name);
      }
    }
  }
  return functions;
}

std::string find_name(const void* function) {
  const std::optional<Location> location = locate(function);
  if (!location) {
    return "";
  }
  static std::map<std::string, SymbolTable> tables;  // guarded by the lock of symbol_name()
  const auto [table, is_new] = tables.try_emplace(location->file);
  if (is_new) {
    table->second = read_symbols(location->file);
  }
  const auto symbol = table->second.find(reinterpret_cast<std::uintptr_t>(function) - location->base);
  return symbol == table->second.end() ? "" : symbol->second;
}

/// "void a::(anonymous namespace)::f<int, 5>(float*)" to "f<int, 5>".
std::string shortened(const std::string& name) {
  constexpr std::string_view unnamed = "(anonymous namespace)::";
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t at = 0; at < name.size(); ++at) {
    const char c = name[at];
    if (name.compare(at, unnamed.size(), unnamed) == 0) {
      at += unnamed.size() - 1;
      begin = depth == 0 ? at + 1 : begin;
    } else if (c == '<') {
      ++depth;
    } else if (c == '>') {
      --depth;
    } else if (depth == 0 && c == '(') {
      return name.substr(begin, at - begin);
    } else if (depth == 0 && (c == ' ' || c == ':')) {
      begin = at + 1;
    }
  }
  return name.substr(begin);
}

}  // namespace

const std::string& symbol_name(const void* function) {
  static std::mutex lock;
  static std::map<const void*, std::string> names;
  const std::lock_guard guard(lock);
  const auto [name, is_new] = names.try_emplace(function);
  if (is_new) {
    name->second = find_name(function);
  }
  return name->second;
}

std::string readable_name(const void* function) {
  const std::string& symbol = symbol_name(function);
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status),
                                                    std::free);
  return status == 0 ? shortened(text.get()) : symbol;
}

}  // namespace touchstone::emulation
