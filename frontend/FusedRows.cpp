//===- FusedRows.cpp - projections that share one tensor ------------------===//
#include "frontend/FusedRows.h"

namespace llmc::frontend {

void takeQkvRows(AttentionSpec &a, const std::string &weight, const std::string &bias) {
  int64_t q = a.heads * a.dimK, k = a.kvHeads * a.dimK, v = a.kvHeads * a.dimV;
  a.q = {weight, bias, q + k + v, {{0, q}}};
  a.k = {weight, bias, q + k + v, {{q, q + k}}};
  a.v = {weight, bias, q + k + v, {{q + k, q + k + v}}};
}

void takeGroupedQkvRows(AttentionSpec &a, const std::string &weight, const std::string &bias) {
  // Blocks of dimK rows stand as [group][queries of the group, k, v]; with the two exchanged, all k and all v
  // stand together, and the queries need only be put back into the order of their heads.
  int64_t d = a.dimK, groups = a.kvHeads, queries = a.heads / a.kvHeads;
  int64_t q = a.heads * d, k = groups * d;
  RowMove byKind = {0, 0, {groups, queries + 2, d}, {1, 0, 2}};
  RowMove byHead = {0, 0, {queries, groups, d}, {1, 0, 2}};
  a.q = {weight, bias, q + 2 * k, {byKind, {0, q}, byHead}};
  a.k = {weight, bias, q + 2 * k, {byKind, {q, q + k}}};
  a.v = {weight, bias, q + 2 * k, {byKind, {q + k, q + 2 * k}}};
}

void takeGateUpRows(MlpSpec &m, const std::string &weight, const std::string &bias) {
  m.gate = {weight, bias, 2 * m.ffn, {{0, m.ffn}}};
  m.up = {weight, bias, 2 * m.ffn, {{m.ffn, 2 * m.ffn}}};
}

} // namespace llmc::frontend
