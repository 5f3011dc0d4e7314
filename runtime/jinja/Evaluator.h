// Renders a parsed template by walking its tree.
#pragma once

#include "Parser.h"
#include "Value.h"

#include <ctime>
#include <string>

namespace llmc::jinja {

struct Scope;
using ScopePtr = std::shared_ptr<Scope>;

class Evaluator : public Context {
public:
  explicit Evaluator(const Limits &limits, std::time_t now = 0);
  ~Evaluator() override;

  void define(std::string name, Value value);
  /// Throws TemplateError with the line of the template that failed.
  Text render(const Body &body);

private:
  enum class Flow { Normal, Break, Continue };

  Value evaluate(const Expr &e);
  Value evaluateCall(const Expr &e);
  Value evaluateFilter(const Expr &e);
  Value evaluateTest(const Expr &e);
  Value evaluateSequence(const Expr &e);
  Value evaluateLogical(const Expr &e);
  Value evaluateCompare(const Expr &e);
  Value evaluateConcat(const Expr &e);
  Value evaluateSlice(const Expr &e);
  void evaluateArguments(const Expr &e, Args &args);
  Value lookup(const std::string &name);

  Flow execute(const Body &body);
  Flow execute(const Stmt &stmt);
  Flow executeIf(const Stmt &stmt);
  Flow executeFor(const Stmt &stmt);
  Flow runLoop(const Stmt &stmt, const Value &iterable, const ScopePtr &outer, int depth0);
  void executeWith(const Stmt &stmt);
  void callBlock(const Stmt &stmt);
  Value makeMacro(const Stmt &stmt, std::string name);
  Value callMacro(const Stmt &stmt, const std::string &name, const ScopePtr &closure, Args &args);
  template <typename Fn> Text redirected(Fn write);
  /// The text a body writes, in a scope of its own.
  Text capture(const Body &body);
  Value applyToText(const Expr &filters, Text text);
  void assign(const Expr &target, const Value &value);
  void emit(const Text &text);

  ScopePtr globals, scope;
  Text *output = nullptr;
  size_t buffered = 0; // bytes in the output and in all captures under way
  Value captured;
};

} // namespace llmc::jinja
