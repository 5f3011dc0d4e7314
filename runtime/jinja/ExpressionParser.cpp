// Expressions, precedence as in Jinja2: if-else, or, and, not, comparison, + -, ~, * / // %, **, unary, then
// postfix ( . [] () ), filters and tests.
#include "ExpressionParser.h"

#include "Builtins.h"

namespace llmc::jinja {

bool ExpressionParser::tupleEnds(std::string_view extraEnd) const {
  return current().kind == TokenKind::VariableEnd || current().kind == TokenKind::BlockEnd || isOp(")") ||
         (!extraEnd.empty() && isName(extraEnd));
}

ExprPtr ExpressionParser::tuple(bool withCondition, std::string_view extraEnd, bool parenthesized) {
  const int line = current().line;
  if (tupleEnds(extraEnd)) {
    if (!parenthesized)
      fail("expected an expression, found " + describe());
    return node(ExprKind::Tuple, line);
  }
  ExprPtr first = expression(withCondition);
  if (!isOp(","))
    return first;
  ExprPtr result = node(ExprKind::Tuple, line);
  add(*result, std::move(first));
  while (skipOp(",") && !tupleEnds(extraEnd))
    add(*result, expression(withCondition));
  return result;
}

ExprPtr ExpressionParser::expression(bool withCondition) {
  Nest guard(*this);
  ExprPtr result = logical(ExprKind::Or);
  while (withCondition && isName("if")) {
    const int line = take().line;
    ++conditional;
    ExprPtr choice = node(ExprKind::Condition, line);
    add(*choice, std::move(result));
    add(*choice, logical(ExprKind::Or));
    add(*choice, skipName("else") ? expression() : nullptr);
    --conditional;
    result = std::move(choice);
  }
  return result;
}

ExprPtr ExpressionParser::logical(ExprKind kind) {
  const bool isOr = kind == ExprKind::Or;
  const std::string_view word = isOr ? "or" : "and";
  ExprPtr left = isOr ? logical(ExprKind::And) : negation();
  if (!isName(word))
    return left;
  ExprPtr result = node(kind, current().line);
  add(*result, std::move(left));
  while (skipName(word))
    add(*result, isOr ? logical(ExprKind::And) : negation());
  return result;
}

ExprPtr ExpressionParser::negation() {
  if (!isName("not"))
    return comparison();
  Nest guard(*this);
  ExprPtr result = node(ExprKind::Not, take().line);
  add(*result, negation());
  return result;
}

bool ExpressionParser::comparisonOp(Op &op) {
  static constexpr std::pair<std::string_view, Op> table[] = {{"==", Op::Eq}, {"!=", Op::Ne}, {"<", Op::Lt},
                                                              {"<=", Op::Le}, {">", Op::Gt},  {">=", Op::Ge}};
  for (auto [text, value] : table)
    if (skipOp(text)) {
      op = value;
      return true;
    }
  if (skipName("in")) {
    op = Op::In;
    return true;
  }
  if (isName("not") && peek().kind == TokenKind::Name && peek().text == "in") {
    next += 2;
    op = Op::NotIn;
    return true;
  }
  return false;
}

ExprPtr ExpressionParser::comparison() {
  const int line = current().line;
  ExprPtr left = sum();
  Op op;
  if (!comparisonOp(op))
    return left;
  ExprPtr result = node(ExprKind::Compare, line);
  add(*result, std::move(left));
  do {
    result->ops.push_back(op);
    add(*result, sum());
  } while (comparisonOp(op));
  return result;
}

ExprPtr ExpressionParser::binary(ExprPtr left, Op op, int line, ExprPtr right) {
  ExprPtr result = node(ExprKind::Binary, line);
  result->op = op;
  add(*result, std::move(left));
  add(*result, std::move(right));
  return result;
}

ExprPtr ExpressionParser::sum() {
  ExprPtr left = concatenation();
  while (isOp("+") || isOp("-")) {
    const Token op = take();
    left = binary(std::move(left), op.text == "+" ? Op::Add : Op::Sub, op.line, concatenation());
  }
  return left;
}

ExprPtr ExpressionParser::concatenation() {
  ExprPtr left = product();
  if (!isOp("~"))
    return left;
  ExprPtr result = node(ExprKind::Concat, current().line);
  add(*result, std::move(left));
  while (skipOp("~"))
    add(*result, product());
  return result;
}

ExprPtr ExpressionParser::product() {
  ExprPtr left = power();
  while (isOp("*") || isOp("/") || isOp("//") || isOp("%")) {
    const Token op = take();
    const Op kind = op.text == "*"    ? Op::Mul
                    : op.text == "/"  ? Op::Div
                    : op.text == "//" ? Op::FloorDiv
                                      : Op::Mod;
    left = binary(std::move(left), kind, op.line, power());
  }
  return left;
}

ExprPtr ExpressionParser::power() {
  ExprPtr left = unary();
  while (isOp("**")) {
    const int line = take().line;
    left = binary(std::move(left), Op::Pow, line, unary());
  }
  return left;
}

ExprPtr ExpressionParser::unary(bool withFilters) {
  ExprPtr result;
  if (isOp("-") || isOp("+")) {
    Nest guard(*this);
    const Token op = take();
    result = node(op.text == "-" ? ExprKind::Negate : ExprKind::Plus, op.line);
    add(*result, unary(false));
  } else {
    result = primary();
  }
  result = postfix(std::move(result));
  return withFilters ? filterChain(std::move(result)) : std::move(result);
}

ExprPtr ExpressionParser::constant(Value value, int line) {
  ExprPtr result = node(ExprKind::Constant, line);
  result->value = std::move(value);
  return result;
}

ExprPtr ExpressionParser::primary() {
  const Token token = current();
  switch (token.kind) {
  case TokenKind::Name: {
    ++next;
    const std::string &n = token.text;
    if (n == "true" || n == "True" || n == "false" || n == "False")
      return constant(Value::boolean(n == "true" || n == "True"), token.line);
    if (n == "none" || n == "None")
      return constant(Value::none(), token.line);
    ExprPtr result = node(ExprKind::Name, token.line);
    result->name = n;
    sawVarargs |= n == "varargs";
    sawKwargs |= n == "kwargs";
    return result;
  }
  case TokenKind::String: {
    std::string text;
    while (current().kind == TokenKind::String)
      text += take().text;
    return constant(Value::constant(Text(text, false)), token.line);
  }
  case TokenKind::Integer:
  case TokenKind::Float:
    ++next;
    return constant(token.number, token.line);
  default:
    break;
  }
  Nest guard(*this);
  if (skipOp("(")) {
    ExprPtr result = tuple(true, {}, true);
    expectOp(")");
    return result;
  }
  if (skipOp("["))
    return sequence(ExprKind::List, "]", token.line);
  if (skipOp("{"))
    return sequence(ExprKind::Dict, "}", token.line);
  fail("expected an expression, found " + describe());
}

ExprPtr ExpressionParser::sequence(ExprKind kind, std::string_view close, int line) {
  ExprPtr result = node(kind, line);
  while (!isOp(close)) {
    if (!result->args.empty()) {
      expectOp(",");
      if (isOp(close))
        break;
    }
    add(*result, expression());
    if (kind == ExprKind::Dict) {
      expectOp(":");
      add(*result, expression());
    }
  }
  expectOp(close);
  return result;
}

ExprPtr ExpressionParser::postfix(ExprPtr operand) {
  while (true) {
    const int line = current().line;
    if (skipOp(".")) {
      if (current().kind == TokenKind::Integer) {
        ExprPtr result = node(ExprKind::Item, line);
        add(*result, std::move(operand));
        add(*result, constant(take().number, line));
        operand = std::move(result);
        continue;
      }
      ExprPtr result = node(ExprKind::Attribute, line);
      result->name = expectName();
      add(*result, std::move(operand));
      operand = std::move(result);
    } else if (skipOp("[")) {
      operand = subscript(std::move(operand), line);
    } else if (isOp("(")) {
      operand = call(std::move(operand));
    } else {
      return operand;
    }
  }
}

ExprPtr ExpressionParser::subscript(ExprPtr operand, int line) {
  auto bound = [&]() -> ExprPtr { return isOp(":") || isOp("]") ? nullptr : expression(); };
  ExprPtr first = bound();
  if (!isOp(":") && !first)
    fail("expected an index, found " + describe());
  ExprPtr result = node(isOp(":") ? ExprKind::Slice : ExprKind::Item, line);
  add(*result, std::move(operand));
  if (result->kind == ExprKind::Item && isOp(",")) {
    ExprPtr index = node(ExprKind::Tuple, line);
    add(*index, std::move(first));
    while (skipOp(",") && !isOp("]"))
      add(*index, expression());
    first = std::move(index);
  }
  add(*result, std::move(first));
  if (skipOp(":")) {
    add(*result, bound());
    add(*result, skipOp(":") ? bound() : nullptr);
  }
  expectOp("]");
  return result;
}

void ExpressionParser::arguments(Expr &call) {
  Nest guard(*this);
  expectOp("(");
  bool first = true;
  for (; !isOp(")"); first = false) {
    if (!first) {
      expectOp(",");
      if (isOp(")"))
        break;
    }
    auto once = [&](ExprPtr &slot) {
      if (slot || call.starKeywords)
        fail("invalid arguments of a call");
      slot = expression();
      if (slot->depth > maxTreeDepth - 10)
        fail("expression is too long");
    };
    if (skipOp("*")) {
      once(call.starArgs);
    } else if (skipOp("**")) {
      once(call.starKeywords);
    } else if (current().kind == TokenKind::Name && peek().kind == TokenKind::Operator &&
               peek().text == "=") {
      std::string name = take().text;
      ++next;
      ExprPtr value = expression();
      call.depth = std::max(call.depth, value->depth + 1);
      for (auto &keyword : call.keywords)
        if (keyword.first == name)
          fail("argument '" + name + "' is given twice");
      call.keywords.emplace_back(std::move(name), std::move(value));
    } else {
      if (!call.keywords.empty() || call.starArgs || call.starKeywords)
        fail("positional argument follows a keyword argument");
      add(call, expression());
    }
  }
  expectOp(")");
}

ExprPtr ExpressionParser::call(ExprPtr operand) {
  ExprPtr result = node(ExprKind::Call, current().line);
  add(*result, std::move(operand));
  arguments(*result);
  return result;
}

ExprPtr ExpressionParser::filterChain(ExprPtr operand) {
  while (true) {
    if (isOp("|"))
      operand = filters(std::move(operand), false);
    else if (isName("is"))
      operand = test(std::move(operand));
    else if (isOp("("))
      operand = call(std::move(operand));
    else
      return operand;
  }
}

ExprPtr ExpressionParser::filters(ExprPtr operand, bool startsInline) {
  while (startsInline || skipOp("|")) {
    startsInline = false;
    ExprPtr result = node(ExprKind::Filter, current().line);
    result->name = expectName();
    if (!conditional && !findFilter(result->name))
      fail("no filter named '" + result->name + "'", result->line);
    add(*result, std::move(operand));
    if (isOp("("))
      arguments(*result);
    operand = std::move(result);
  }
  return operand;
}

ExprPtr ExpressionParser::test(ExprPtr operand) {
  const int line = take().line;
  const bool negated = skipName("not");
  ExprPtr result = node(ExprKind::Test, line);
  result->name = expectName();
  if (!conditional && !findTest(result->name))
    fail("no test named '" + result->name + "'", line);
  add(*result, std::move(operand));
  auto startsArgument = [&] {
    switch (current().kind) {
    case TokenKind::Name:
      for (std::string_view word : {"else", "or", "and", "if", "not", "in", "recursive"})
        if (isName(word))
          return false;
      return true;
    case TokenKind::String:
    case TokenKind::Integer:
    case TokenKind::Float:
      return true;
    default:
      return isOp("[") || isOp("{");
    }
  };
  if (isOp("(")) {
    arguments(*result);
  } else if (startsArgument()) {
    if (isName("is"))
      fail("tests cannot be chained with 'is'");
    add(*result, postfix(primary()));
  }
  if (!negated)
    return result;
  ExprPtr inverse = node(ExprKind::Not, line);
  add(*inverse, std::move(result));
  return inverse;
}

} // namespace llmc::jinja
