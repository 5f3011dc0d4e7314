// The syntax tree of a template and the parser that makes it.
#pragma once

#include "Value.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llmc::jinja {

struct Expr;
struct Stmt;
using ExprPtr = std::unique_ptr<Expr>;
using StmtPtr = std::unique_ptr<Stmt>;
using Body = std::vector<StmtPtr>;

enum class ExprKind {
  Constant,     // value
  Name,         // name
  NamespaceRef, // assignment target name.value
  List,
  Tuple,
  Dict,      // args: key, value, key, value, …
  Negate,    // args[0]
  Plus,      // args[0]
  Not,       // args[0]
  Binary,    // op: + - * / // % **
  Compare,   // args[0] ops[0] args[1] ops[1] …
  And,       // args
  Or,        // args
  Concat,    // args, "~"
  Condition, // args[0] if args[1] else args[2] (may be null)
  Attribute, // args[0].name
  Item,      // args[0][args[1]]
  Slice,     // args[0][args[1]:args[2]:args[3]], each may be null
  Call,      // args[0](args[1]…, keywords)
  Filter,    // args[0] | name(args[1]…, keywords)
  Test,      // args[0] is name(args[1]…, keywords)
  Captured,  // the text of the enclosing filter or set block
};

enum class Op { Add, Sub, Mul, Div, FloorDiv, Mod, Pow, Eq, Ne, Lt, Le, Gt, Ge, In, NotIn };

struct Expr {
  Expr(ExprKind kind, int line) : kind(kind), line(line) {}
  ExprKind kind;
  int line;
  int depth = 1; // of the tree below, bounded so that neither evaluation nor destruction overflows the stack
  Op op = Op::Add;
  std::string name;
  Value value;
  std::vector<ExprPtr> args;
  std::vector<Op> ops;
  std::vector<std::pair<std::string, ExprPtr>> keywords;
  ExprPtr starArgs, starKeywords;
};

enum class StmtKind {
  Data,        // value
  Output,      // expr
  If,          // conditions[i] -> bodies[i]; one more body is the else
  For,         // target, expr (iterable), condition or null, bodies: loop, else; recursive
  Set,         // target, expr
  SetBlock,    // target, expr: filter chain over Captured; bodies[0]
  Macro,       // name, parameters, bodies[0]
  CallBlock,   // expr: the call; parameters, bodies[0]
  FilterBlock, // expr: filter chain over Captured; bodies[0]
  Scope,       // bodies[0]; "generation" blocks
  With,        // targets, conditions as values, bodies[0]
  Break,
  Continue,
};

struct Stmt {
  Stmt(StmtKind kind, int line) : kind(kind), line(line) {}
  StmtKind kind;
  int line;
  bool recursive = false;
  bool usesVarargs = false, usesKwargs = false; // the macro's body names them
  Value value;
  ExprPtr expr, target, condition;
  std::vector<ExprPtr> conditions, targets;
  std::vector<Body> bodies;
  std::string name;
  std::vector<std::pair<std::string, ExprPtr>> parameters; // with default or null
};

/// Throws TemplateError.
Body parseTemplate(std::string_view source);

} // namespace llmc::jinja
