//===- ElfTables.cpp - the tables of a model.so, read as bytes ------------===//
#include "tools/explore/ElfTables.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <elf.h>
#include <unordered_map>

using namespace llmc::explore;

namespace {
struct BadElf {
  std::string words;
};

class ElfReader {
public:
  explicit ElfReader(std::span<const uint8_t> file) : file(file) {}

  ElfTables read() {
    readSections();
    readRelocations();
    const uint64_t module = addressOf(LLMC_MODULE_SYMBOL);
    ElfTables tables;
    tables.head = at<llmc_module>(module);
    const llmc_module &head = tables.head;
    if (std::memcmp(head.magic, LLMC_MODULE_MAGIC, sizeof head.magic) != 0 || head.abi != LLMC_MODULE_ABI)
      throw BadElf{"its table is of another version"};
    auto field = [&](size_t offset) { return pointer(module + offset); };
    tables.kernels = array<llmc_kernel>(field(offsetof(llmc_module, kernels)), head.n_kernels);
    tables.buffers = array<llmc_buffer>(field(offsetof(llmc_module, buffers)), head.n_buffers);
    tables.dispatches = array<llmc_dispatch>(field(offsetof(llmc_module, dispatches)), head.n_dispatches);
    tables.args = array<llmc_arg>(field(offsetof(llmc_module, args)), head.n_args);
    tables.caches = array<llmc_kv_layout>(field(offsetof(llmc_module, caches)), head.n_caches);
    for (char c : array<char>(field(offsetof(llmc_module, strings)), head.n_strings))
      tables.strings += c;
    const uint64_t variants = field(offsetof(llmc_module, variants));
    array<llmc_variant>(variants, head.n_variants); // that they are there
    for (uint32_t i = 0; i < head.n_variants; ++i)
      tables.variants.push_back(
          textAt(pointer(variants + i * sizeof(llmc_variant) + offsetof(llmc_variant, name))));
    tables.functions = functions();
    return tables;
  }

private:
  template <typename T> T get(uint64_t offset) const {
    T value;
    if (offset > file.size() || file.size() - offset < sizeof value)
      throw BadElf{"a table of its ELF part lies outside of it"};
    std::memcpy(&value, file.data() + offset, sizeof value);
    return value;
  }
  std::span<const uint8_t> bytes(uint64_t offset, uint64_t size) const {
    if (offset > file.size() || file.size() - offset < size)
      throw BadElf{"a table of its ELF part lies outside of it"};
    return file.subspan(offset, size);
  }
  /// Where the byte with this address stands in the file.
  uint64_t offsetOf(uint64_t address, uint64_t size) const {
    for (const Elf64_Shdr &section : sections)
      if ((section.sh_flags & SHF_ALLOC) && section.sh_type != SHT_NOBITS && address >= section.sh_addr &&
          address - section.sh_addr <= section.sh_size &&
          section.sh_size - (address - section.sh_addr) >= size)
        return section.sh_offset + (address - section.sh_addr);
    throw BadElf{"a pointer of its tables leads outside of it"};
  }
  template <typename T> T at(uint64_t address) const { return get<T>(offsetOf(address, sizeof(T))); }
  template <typename T> std::vector<T> array(uint64_t address, uint64_t count) const {
    if (count == 0)
      return {};
    if (count > file.size() / sizeof(T))
      throw BadElf{"a table of its ELF part is longer than the file"};
    std::vector<T> values(count);
    std::span<const uint8_t> raw = bytes(offsetOf(address, count * sizeof(T)), count * sizeof(T));
    std::memcpy(values.data(), raw.data(), raw.size());
    return values;
  }
  /// A relocated pointer at an address, or what stands there.
  uint64_t pointer(uint64_t address) const {
    auto entry = relocations.find(address);
    return entry != relocations.end() ? entry->second : at<uint64_t>(address);
  }
  std::string textAt(uint64_t address) const {
    std::string text;
    constexpr size_t longest = 64;
    for (char c; text.size() < longest && (c = at<char>(address + text.size()));)
      text += c;
    return text;
  }

  void readSections() {
    const auto head = get<Elf64_Ehdr>(0);
    if (std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
        head.e_shentsize != sizeof(Elf64_Shdr) || head.e_shnum == 0)
      throw BadElf{"it has no table of sections"};
    // Those of a module are few and do not overlap: what reads them takes time by their number and bytes.
    constexpr unsigned mostSections = 1024;
    if (head.e_shnum > mostSections)
      throw BadElf{"it has more than " + std::to_string(mostSections) + " sections"};
    uint64_t left = file.size();
    for (unsigned i = 0; i < head.e_shnum; ++i) {
      sections.push_back(get<Elf64_Shdr>(head.e_shoff + i * sizeof(Elf64_Shdr)));
      if (sections.back().sh_type == SHT_NOBITS)
        continue;
      if (sections.back().sh_size > left)
        throw BadElf{"its sections have more bytes than the file"};
      left -= sections.back().sh_size;
    }
  }
  void readRelocations() {
    for (const Elf64_Shdr &section : sections) {
      if (section.sh_type != SHT_RELA)
        continue;
      std::span<const uint8_t> raw = bytes(section.sh_offset, section.sh_size);
      for (size_t i = 0; i + sizeof(Elf64_Rela) <= raw.size(); i += sizeof(Elf64_Rela)) {
        Elf64_Rela entry;
        std::memcpy(&entry, raw.data() + i, sizeof entry);
        if (ELF64_R_TYPE(entry.r_info) == R_X86_64_RELATIVE)
          relocations[entry.r_offset] = static_cast<uint64_t>(entry.r_addend);
      }
    }
  }
  /// Calls each(name, symbol) for the symbols of all sections of a type.
  template <typename Each> void symbols(uint32_t type, Each each) const {
    for (const Elf64_Shdr &section : sections) {
      if (section.sh_type != type || section.sh_link >= sections.size())
        continue;
      const Elf64_Shdr &names = sections[section.sh_link];
      std::span<const uint8_t> raw = bytes(section.sh_offset, section.sh_size);
      std::span<const uint8_t> text = bytes(names.sh_offset, names.sh_size);
      for (size_t i = 0; i + sizeof(Elf64_Sym) <= raw.size(); i += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        std::memcpy(&symbol, raw.data() + i, sizeof symbol);
        if (symbol.st_name >= text.size())
          continue;
        constexpr size_t longestName = 1024; // else each symbol could name all of the text
        std::string_view name(reinterpret_cast<const char *>(text.data()) + symbol.st_name,
                              std::min(text.size() - symbol.st_name, longestName));
        each(name.substr(0, name.find('\0')), symbol);
      }
    }
  }
  uint64_t addressOf(std::string_view wanted) const {
    uint64_t address = 0;
    symbols(SHT_DYNSYM, [&](std::string_view name, const Elf64_Sym &symbol) {
      if (name == wanted)
        address = symbol.st_value;
    });
    if (!address)
      throw BadElf{"it does not export " + std::string(wanted)};
    return address;
  }
  std::vector<ElfFunction> functions() const {
    std::vector<ElfFunction> list;
    symbols(SHT_SYMTAB, [&](std::string_view name, const Elf64_Sym &symbol) {
      if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_size)
        list.push_back({std::string(name), symbol.st_size});
    });
    return list;
  }

  std::span<const uint8_t> file;
  std::vector<Elf64_Shdr> sections;
  std::unordered_map<uint64_t, uint64_t> relocations;
};
} // namespace

std::string ElfTables::text(uint32_t offset) const {
  if (offset >= strings.size())
    return "";
  return strings.substr(offset, strings.find('\0', offset) - offset);
}

std::optional<ElfTables> llmc::explore::readElfTables(std::span<const uint8_t> file, std::string &error) {
  try {
    return ElfReader(file).read();
  } catch (const BadElf &bad) {
    error = bad.words;
    return std::nullopt;
  }
}
