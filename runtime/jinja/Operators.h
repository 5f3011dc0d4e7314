// Operators on values: arithmetic, comparison, membership, slices.
#pragma once

#include "Parser.h"
#include "Value.h"

namespace llmc::jinja {

Value arithmetic(Context &, Op, const Value &a, const Value &b);
Value negate(Context &, const Value &);
bool compare(Context &, Op, const Value &a, const Value &b);
/// Null bounds are open ones; None counts as open too.
Value slice(Context &, const Value &object, const Value *start, const Value *stop, const Value *step);

} // namespace llmc::jinja
