// The expression half of the parser: token helpers and everything inside "{{ }}" and tags.
// Statements (Parser.cpp) build on it.
#pragma once

#include "Lexer.h"
#include "Parser.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llmc::jinja {

constexpr int maxNesting = 100;   // brackets and blocks, bounds the parser's own recursion
constexpr int maxTreeDepth = 300; // chains like a+b+c+… build deep trees without recursion

class ExpressionParser {
protected:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens(std::move(tokens)) {}

  std::vector<Token> tokens;
  size_t next = 0;
  int nesting = 0;
  int conditional = 0; // inside an if: an unknown filter there fails only when it is reached
  bool sawVarargs = false, sawKwargs = false;

  struct Nest {
    explicit Nest(ExpressionParser &p) : parser(p) {
      if (++p.nesting > maxNesting)
        p.fail("nested too deeply: more than " + std::to_string(maxNesting) + " levels");
    }
    ~Nest() { --parser.nesting; }
    ExpressionParser &parser;
  };

  const Token &current() const { return tokens[next]; }
  const Token &peek() const { return tokens[std::min(next + 1, tokens.size() - 1)]; }
  Token take() { return current().kind == TokenKind::End ? current() : tokens[next++]; }
  [[noreturn]] void fail(const std::string &message, int line = 0) const {
    throw TemplateError(message, line ? line : current().line);
  }
  bool isName(std::string_view name) const {
    return current().kind == TokenKind::Name && current().text == name;
  }
  bool isOp(std::string_view op) const {
    return current().kind == TokenKind::Operator && current().text == op;
  }
  bool skipName(std::string_view name) { return isName(name) && (++next, true); }
  bool skipOp(std::string_view op) { return isOp(op) && (++next, true); }

  std::string describe() const {
    switch (current().kind) {
    case TokenKind::End:
      return "end of template";
    case TokenKind::VariableEnd:
      return "'}}'";
    case TokenKind::BlockEnd:
      return "'%}'";
    case TokenKind::String:
      return "string";
    default:
      return "'" + current().text + "'";
    }
  }
  void expectOp(std::string_view op) {
    if (!skipOp(op))
      fail("expected '" + std::string(op) + "', found " + describe());
  }
  std::string expectName() {
    if (current().kind != TokenKind::Name)
      fail("expected a name, found " + describe());
    return take().text;
  }
  void expectBlockEnd() {
    if (current().kind != TokenKind::BlockEnd)
      fail("expected '%}', found " + describe());
    ++next;
  }

  ExprPtr node(ExprKind kind, int line) { return std::make_unique<Expr>(kind, line); }
  void add(Expr &parent, ExprPtr child) {
    if (child) {
      parent.depth = std::max(parent.depth, child->depth + 1);
      if (parent.depth > maxTreeDepth)
        fail("expression is too long: more than " + std::to_string(maxTreeDepth) + " chained operations",
             parent.line);
    }
    parent.args.push_back(std::move(child));
  }

  bool tupleEnds(std::string_view extraEnd) const;
  ExprPtr tuple(bool withCondition, std::string_view extraEnd = {}, bool parenthesized = false);
  ExprPtr expression(bool withCondition = true);
  ExprPtr logical(ExprKind kind);
  ExprPtr negation();
  bool comparisonOp(Op &op);
  ExprPtr comparison();
  ExprPtr binary(ExprPtr left, Op op, int line, ExprPtr right);
  ExprPtr sum();
  ExprPtr concatenation();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary(bool withFilters = true);
  ExprPtr constant(Value value, int line);
  ExprPtr primary();
  ExprPtr sequence(ExprKind kind, std::string_view close, int line);
  ExprPtr postfix(ExprPtr operand);
  ExprPtr subscript(ExprPtr operand, int line);
  /// Arguments after the operand in args[0].
  void arguments(Expr &call);
  ExprPtr call(ExprPtr operand);
  ExprPtr filterChain(ExprPtr operand);
  ExprPtr filters(ExprPtr operand, bool startsInline);
  ExprPtr test(ExprPtr operand);
};

} // namespace llmc::jinja
