// The tree walker. Scopes follow Jinja: loops and macros open one, "if" does not; macros see where they were
// defined.
#include "Evaluator.h"

#include "Builtins.h"
#include "Operators.h"

#include <algorithm>

namespace llmc::jinja {

struct Scope {
  ScopePtr parent;
  Variables variables;

  Value *find(std::string_view name) {
    for (auto &[key, value] : variables)
      if (key == name)
        return &value;
    return nullptr;
  }
  void set(std::string_view name, Value value) {
    if (Value *slot = find(name))
      *slot = std::move(value);
    else
      variables.emplace_back(name, std::move(value));
  }
};

namespace {

/// Sets a member for the time of a block.
template <typename T> struct Swap {
  Swap(T &slot, T value) : slot(slot), saved(std::exchange(slot, std::move(value))) {}
  ~Swap() { slot = std::move(saved); }
  Swap(const Swap &) = delete;
  Swap &operator=(const Swap &) = delete;
  T &slot;
  T saved;
};

ScopePtr childOf(ScopePtr parent) {
  auto scope = std::make_shared<Scope>();
  scope->parent = std::move(parent);
  return scope;
}

} // namespace

Evaluator::Evaluator(const Limits &limits, std::time_t now)
    : Context(limits), globals(std::make_shared<Scope>()) {
  addGlobals(*this, globals->variables, now);
  scope = childOf(globals);
}

Evaluator::~Evaluator() = default;

void Evaluator::define(std::string name, Value value) { globals->set(name, std::move(value)); }

Text Evaluator::render(const Body &body) {
  Text result;
  output = &result;
  execute(body);
  return result;
}

template <typename Fn> Text Evaluator::redirected(Fn write) {
  Text text;
  Swap<Text *> redirect(output, &text);
  write();
  buffered -= text.size();
  return text;
}

void Evaluator::emit(const Text &text) {
  stepBytes(text.size());
  if ((buffered += text.size()) > limits.maxOutputBytes)
    fail("the output grows beyond " + std::to_string(limits.maxOutputBytes) + " bytes");
  output->append(text);
}

Value Evaluator::lookup(const std::string &name) {
  for (Scope *s = scope.get(); s; s = s->parent.get()) {
    step(s->variables.size() / 16);
    if (Value *v = s->find(name))
      return *v;
  }
  return Value::undefined("'" + name + "' is undefined");
}

// --- expressions ---

Value Evaluator::evaluate(const Expr &e) {
  Depth guard(*this);
  step();
  line = e.line;
  switch (e.kind) {
  case ExprKind::Constant:
    return e.value;
  case ExprKind::Name:
    return lookup(e.name);
  case ExprKind::Captured:
    return captured;
  case ExprKind::List:
  case ExprKind::Tuple:
  case ExprKind::Dict:
    return evaluateSequence(e);
  case ExprKind::Negate: {
    const Value v = evaluate(*e.args[0]);
    return negate(*this, v);
  }
  case ExprKind::Plus: {
    Value v = evaluate(*e.args[0]);
    if (!v.isNumber())
      fail(v.isUndefined() ? v.undefinedMessage()
                           : std::string("unsupported operand for unary '+': '") + typeName(v) + "'");
    return v.is(Kind::Bool) ? Value::integer(v.asInt()) : v;
  }
  case ExprKind::Not:
    return Value::boolean(!truth(evaluate(*e.args[0])));
  case ExprKind::Binary: {
    const Value a = evaluate(*e.args[0]), b = evaluate(*e.args[1]);
    line = e.line;
    return arithmetic(*this, e.op, a, b);
  }
  case ExprKind::Compare:
    return evaluateCompare(e);
  case ExprKind::And:
  case ExprKind::Or:
    return evaluateLogical(e);
  case ExprKind::Concat:
    return evaluateConcat(e);
  case ExprKind::Condition:
    if (truth(evaluate(*e.args[1])))
      return evaluate(*e.args[0]);
    return e.args[2] ? evaluate(*e.args[2]) : Value::undefined("the inline 'if' was false and has no 'else'");
  case ExprKind::Attribute: {
    const Value object = evaluate(*e.args[0]);
    line = e.line;
    return getAttribute(*this, object, e.name);
  }
  case ExprKind::Item: {
    const Value object = evaluate(*e.args[0]), key = evaluate(*e.args[1]);
    line = e.line;
    return getItem(*this, object, key);
  }
  case ExprKind::Slice:
    return evaluateSlice(e);
  case ExprKind::Call:
    return evaluateCall(e);
  case ExprKind::Filter:
    return evaluateFilter(e);
  case ExprKind::Test:
    return evaluateTest(e);
  case ExprKind::NamespaceRef:
    break;
  }
  fail("internal: not an expression");
}

Value Evaluator::evaluateSequence(const Expr &e) {
  if (e.kind == ExprKind::Dict) {
    Value result = dict();
    for (size_t i = 0; i + 1 < e.args.size(); i += 2) {
      const Value key = evaluate(*e.args[i]);
      set(result.dict(), key, evaluate(*e.args[i + 1]));
    }
    return result;
  }
  std::vector<Value> items;
  for (const ExprPtr &item : e.args)
    items.push_back(evaluate(*item));
  return list(std::move(items), e.kind == ExprKind::Tuple ? ListKind::Tuple : ListKind::List);
}

Value Evaluator::evaluateLogical(const Expr &e) {
  const bool stopAt = e.kind == ExprKind::Or;
  Value v;
  for (const ExprPtr &operand : e.args) {
    v = evaluate(*operand);
    if (truth(v) == stopAt)
      break;
  }
  return v;
}

Value Evaluator::evaluateCompare(const Expr &e) {
  Value left = evaluate(*e.args[0]);
  for (size_t i = 0; i < e.ops.size(); ++i) {
    Value right = evaluate(*e.args[i + 1]);
    line = e.line;
    if (!compare(*this, e.ops[i], left, right))
      return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Evaluator::evaluateConcat(const Expr &e) {
  Text out;
  for (const ExprPtr &operand : e.args) {
    const Value v = evaluate(*operand);
    out.append(toText(*this, v));
    checkSize(out.size());
  }
  return string(std::move(out));
}

Value Evaluator::evaluateSlice(const Expr &e) {
  const Value object = evaluate(*e.args[0]);
  Value bounds[3];
  for (int i = 0; i < 3; ++i)
    bounds[i] = e.args[i + 1] ? evaluate(*e.args[i + 1]) : Value::none();
  line = e.line;
  return slice(*this, object, &bounds[0], &bounds[1], &bounds[2]);
}

void Evaluator::evaluateArguments(const Expr &e, Args &args) {
  for (size_t i = 1; i < e.args.size(); ++i)
    args.positional.push_back(evaluate(*e.args[i]));
  for (const auto &[name, value] : e.keywords)
    args.keywords.emplace_back(name, evaluate(*value));
  if (e.starArgs)
    for (Value &v : iterate(*this, evaluate(*e.starArgs)))
      args.positional.push_back(std::move(v));
  if (e.starKeywords) {
    const Value keywords = evaluate(*e.starKeywords);
    if (!keywords.is(Kind::Dict))
      fail(std::string("argument after ** must be a mapping, not '") + typeName(keywords) + "'");
    for (const auto &[key, value] : keywords.dict().entries) {
      if (!key.isString())
        fail("keyword names must be strings");
      for (const auto &given : args.keywords)
        if (given.first == key.str())
          fail("argument '" + key.str() + "' is given twice");
      step(1 + args.keywords.size() / 16);
      args.keywords.emplace_back(key.str(), value);
    }
  }
  line = e.line;
}

Value Evaluator::evaluateCall(const Expr &e) {
  const Value callee = evaluate(*e.args[0]);
  Args args;
  evaluateArguments(e, args);
  return callValue(*this, callee, args);
}

Value Evaluator::evaluateFilter(const Expr &e) {
  const FilterFunction filter = findFilter(e.name);
  if (!filter)
    fail("no filter named '" + e.name + "'");
  const Value subject = evaluate(*e.args[0]);
  Args args;
  evaluateArguments(e, args);
  return filter(*this, subject, args);
}

Value Evaluator::evaluateTest(const Expr &e) {
  const TestFunction test = findTest(e.name);
  if (!test)
    fail("no test named '" + e.name + "'");
  const Value subject = evaluate(*e.args[0]);
  Args args;
  evaluateArguments(e, args);
  return Value::boolean(test(*this, subject, args));
}

// --- statements ---

Evaluator::Flow Evaluator::execute(const Body &body) {
  for (const StmtPtr &stmt : body)
    if (const Flow flow = execute(*stmt); flow != Flow::Normal)
      return flow;
  return Flow::Normal;
}

Evaluator::Flow Evaluator::execute(const Stmt &stmt) {
  Depth guard(*this);
  step();
  line = stmt.line;
  switch (stmt.kind) {
  case StmtKind::Data:
    emit(stmt.value.text());
    break;
  case StmtKind::Output: {
    const Value v = evaluate(*stmt.expr);
    emit(toText(*this, v));
    break;
  }
  case StmtKind::If:
    return executeIf(stmt);
  case StmtKind::For:
    return executeFor(stmt);
  case StmtKind::Set:
    assign(*stmt.target, evaluate(*stmt.expr));
    break;
  case StmtKind::SetBlock:
    assign(*stmt.target, applyToText(*stmt.expr, capture(stmt.bodies[0])));
    break;
  case StmtKind::FilterBlock: {
    const Value v = applyToText(*stmt.expr, capture(stmt.bodies[0]));
    emit(toText(*this, v));
    break;
  }
  case StmtKind::Macro:
    scope->set(stmt.name, makeMacro(stmt, stmt.name));
    break;
  case StmtKind::CallBlock:
    callBlock(stmt);
    break;
  case StmtKind::Scope:
    emit(capture(stmt.bodies[0]));
    break;
  case StmtKind::With:
    executeWith(stmt);
    break;
  case StmtKind::Break:
    return Flow::Break;
  case StmtKind::Continue:
    return Flow::Continue;
  }
  return Flow::Normal;
}

Evaluator::Flow Evaluator::executeIf(const Stmt &stmt) {
  for (size_t i = 0; i < stmt.conditions.size(); ++i)
    if (truth(evaluate(*stmt.conditions[i])))
      return execute(stmt.bodies[i]);
  return stmt.bodies.size() > stmt.conditions.size() ? execute(stmt.bodies.back()) : Flow::Normal;
}

Evaluator::Flow Evaluator::executeFor(const Stmt &stmt) {
  const Value iterable = evaluate(*stmt.expr);
  return runLoop(stmt, iterable, scope, 0);
}

Evaluator::Flow Evaluator::runLoop(const Stmt &stmt, const Value &iterable, const ScopePtr &outer,
                                   int depth0) {
  line = stmt.line;
  std::vector<Value> items = iterate(*this, iterable);
  if (stmt.condition) {
    std::vector<Value> kept;
    for (Value &item : items) {
      Swap<ScopePtr> inner(scope, childOf(outer));
      assign(*stmt.target, item);
      if (truth(evaluate(*stmt.condition)))
        kept.push_back(std::move(item));
    }
    items = std::move(kept);
  }
  if (items.empty()) {
    Swap<ScopePtr> inner(scope, outer);
    return stmt.bodies.size() > 1 ? execute(stmt.bodies[1]) : Flow::Normal;
  }
  const Value loop = loopState();
  loop.loop().items = std::move(items);
  loop.loop().depth0 = depth0;
  if (stmt.recursive)
    loop.loop().recurse = [this, &stmt, outer, depth0](Context &, Args &args) {
      if (args.positional.size() != 1)
        fail("'loop' takes one argument");
      return string(redirected([&] { runLoop(stmt, args.positional[0], outer, depth0 + 1); }));
    };
  const size_t count = loop.loop().items.size();
  for (size_t i = 0; i < count; ++i) {
    step(8); // a scope of its own costs about as much: loops without a body end as soon as others
    Swap<ScopePtr> inner(scope, childOf(outer));
    loop.loop().index = i;
    line = stmt.line;
    scope->set("loop", loop);
    assign(*stmt.target, loop.loop().items[i]);
    if (execute(stmt.bodies[0]) == Flow::Break)
      break;
  }
  return Flow::Normal;
}

void Evaluator::executeWith(const Stmt &stmt) {
  ScopePtr inner = childOf(scope);
  std::vector<Value> values;
  for (const ExprPtr &value : stmt.conditions)
    values.push_back(evaluate(*value));
  Swap<ScopePtr> swap(scope, inner);
  for (size_t i = 0; i < values.size(); ++i)
    assign(*stmt.targets[i], values[i]);
  execute(stmt.bodies[0]);
}

Text Evaluator::capture(const Body &body) {
  return redirected([&] {
    Swap<ScopePtr> inner(scope, childOf(scope));
    execute(body);
  });
}

Value Evaluator::applyToText(const Expr &filters, Text text) {
  Swap<Value> swap(captured, string(std::move(text)));
  return evaluate(filters);
}

void Evaluator::assign(const Expr &target, const Value &value) {
  if (target.kind == ExprKind::Name) {
    step(scope->variables.size() / 16);
    scope->set(target.name, value);
    return;
  }
  if (target.kind == ExprKind::NamespaceRef) {
    const Value ns = lookup(target.name);
    if (!ns.is(Kind::Namespace))
      fail("cannot assign attribute '" + target.value.str() + "': '" + target.name + "' is not a namespace");
    step(ns.ns().attributes.size() / 16);
    if (Value *slot = ns.ns().find(target.value.str())) {
      *slot = value;
      return;
    }
    charge(sizeof(Value) + 32);
    ns.ns().charged += sizeof(Value) + 32;
    ns.ns().attributes.emplace_back(target.value.str(), value);
    return;
  }
  const std::vector<Value> items = iterate(*this, value);
  if (items.size() != target.args.size())
    fail("cannot unpack " + std::to_string(items.size()) + " values into " +
         std::to_string(target.args.size()) + " names");
  for (size_t i = 0; i < items.size(); ++i)
    assign(*target.args[i], items[i]);
}

Value Evaluator::makeMacro(const Stmt &stmt, std::string name) {
  auto closure = scope;
  return function(name, [this, &stmt, closure, name](Context &, Args &args) {
    return callMacro(stmt, name, closure, args);
  });
}

// Extra arguments are an error unless the body asks for "varargs" or "kwargs".
Value Evaluator::callMacro(const Stmt &stmt, const std::string &name, const ScopePtr &closure, Args &args) {
  Depth guard(*this);
  const int callLine = line;
  ScopePtr inner = childOf(closure);
  std::vector<bool> taken(args.keywords.size());
  for (size_t i = 0; i < args.keywords.size(); ++i)
    if (args.keywords[i].first == "caller") {
      inner->set("caller", args.keywords[i].second);
      taken[i] = true;
    }
  Swap<ScopePtr> swap(scope, inner);
  for (size_t p = 0; p < stmt.parameters.size(); ++p) {
    const auto &[parameter, fallback] = stmt.parameters[p];
    step((p + args.keywords.size()) / 16);
    Value value;
    bool given = p < args.positional.size();
    if (given)
      value = args.positional[p];
    for (size_t i = 0; i < args.keywords.size(); ++i)
      if (args.keywords[i].first == parameter) {
        if (given)
          fail("macro '" + name + "' got two values for '" + parameter + "'");
        value = args.keywords[i].second;
        given = taken[i] = true;
      }
    if (!given)
      value =
          fallback ? evaluate(*fallback) : Value::undefined("parameter '" + parameter + "' was not provided");
    inner->set(parameter, std::move(value));
  }
  line = callLine;
  std::vector<Value> extra;
  for (size_t i = stmt.parameters.size(); i < args.positional.size(); ++i)
    extra.push_back(args.positional[i]);
  Value extraKeywords = dict();
  for (size_t i = 0; i < taken.size(); ++i)
    if (!taken[i])
      set(extraKeywords.dict(), string(args.keywords[i].first), args.keywords[i].second);
  if (!extra.empty() && !stmt.usesVarargs)
    fail("macro '" + name + "' takes at most " + std::to_string(stmt.parameters.size()) +
         " arguments, found " + std::to_string(args.positional.size()));
  if (!extraKeywords.dict().entries.empty() && !stmt.usesKwargs)
    fail("macro '" + name + "' has no parameter '" + extraKeywords.dict().entries[0].first.str() + "'");
  if (stmt.usesVarargs)
    inner->set("varargs", list(std::move(extra), ListKind::Tuple));
  if (stmt.usesKwargs)
    inner->set("kwargs", extraKeywords);
  Text text = redirected([&] { execute(stmt.bodies[0]); });
  line = callLine;
  return string(std::move(text));
}

void Evaluator::callBlock(const Stmt &stmt) {
  const Expr &call = *stmt.expr;
  const Value callee = evaluate(*call.args[0]);
  Args args;
  evaluateArguments(call, args);
  args.keywords.emplace_back("caller", makeMacro(stmt, "caller"));
  const Value result = callValue(*this, callee, args);
  emit(toText(*this, result));
}

} // namespace llmc::jinja
