//===- TokenizerTables.cpp - lookup structures of the block ---------------===//
#include "frontend/formats/TokenizerTables.h"

#include <algorithm>

using namespace llmc::formats;

namespace {

constexpr uint32_t kFree = UINT32_MAX;
// How far below the highest slot in use a place for several children is looked for.
constexpr size_t kNearby = 384;

/// Nodes are placed breadth first; the children of a node go to the first place that has room for all.
class DoubleArrayBuilder {
public:
  using Spellings = std::vector<std::pair<std::string_view, int32_t>>;
  explicit DoubleArrayBuilder(Spellings s) : spellings(std::move(s)) {
    std::sort(spellings.begin(), spellings.end());
  }

  std::vector<llmc_tok_node> build() {
    grow(512);
    nodes[0].parent = 0; // taken, though nobody's child
    queue.push_back({0, 0, spellings.size(), 0});
    for (size_t i = 0; i < queue.size(); ++i)
      place(queue[i]);
    // From any node any byte leads to a slot that exists.
    nodes.resize(highest + 256, {0, kFree, -1});
    nodes[0].parent = kFree - 1;
    return std::move(nodes);
  }

private:
  /// The spellings [begin, end) share their first `depth` bytes, which lead to `node`.
  struct Range {
    uint32_t node;
    size_t begin, end, depth;
  };
  struct Child {
    uint8_t byte;
    size_t begin, end;
  };

  Spellings spellings;
  std::vector<llmc_tok_node> nodes;
  std::vector<Range> queue;
  // A child stands at its parent's base plus its byte. Any byte fits into any slot from 256 on; a lower one
  // that no byte fits into would be passed again in every search.
  size_t firstFree = 256, highest = 1;

  void grow(size_t n) {
    if (n > nodes.size())
      nodes.resize(n + n / 2, {0, kFree, -1});
  }

  void place(Range r) {
    if (r.begin < r.end && spellings[r.begin].first.size() == r.depth)
      nodes[r.node].token = spellings[r.begin++].second;
    std::vector<Child> children;
    for (size_t i = r.begin; i < r.end;) {
      auto byte = static_cast<uint8_t>(spellings[i].first[r.depth]);
      size_t end = i + 1;
      while (end < r.end && static_cast<uint8_t>(spellings[end].first[r.depth]) == byte)
        ++end;
      children.push_back({byte, i, end});
      i = end;
    }
    if (children.empty())
      return;
    size_t base = findBase(children);
    nodes[r.node].base = static_cast<uint32_t>(base);
    highest = std::max(highest, base + 256);
    for (const Child &c : children) {
      nodes[base + c.byte].parent = r.node;
      queue.push_back({static_cast<uint32_t>(base + c.byte), c.begin, c.end, r.depth + 1});
    }
    while (nodes[firstFree].parent != kFree) {
      ++firstFree;
      grow(firstFree + 1);
    }
  }

  size_t findBase(const std::vector<Child> &children) {
    // A node with one child fits into any hole; for others, crowded places are not worth a long search.
    size_t slot = children.size() == 1 || highest < firstFree + kNearby ? firstFree : highest - kNearby;
    for (;; ++slot) {
      grow(slot + 512);
      if (slot < children[0].byte || nodes[slot].parent != kFree)
        continue;
      size_t base = slot - children[0].byte;
      if (std::all_of(children.begin(), children.end(),
                      [&](const Child &c) { return nodes[base + c.byte].parent == kFree; }))
        return base;
    }
  }
};

} // namespace

std::vector<llmc_tok_node>
llmc::formats::makeDoubleArray(std::vector<std::pair<std::string_view, int32_t>> spellings) {
  return DoubleArrayBuilder(std::move(spellings)).build();
}
