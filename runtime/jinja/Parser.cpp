// Recursive-descent parser; precedence as in Jinja2: if-else, or, and, not, comparison, + -, ~, * / // %, **, unary,
// then postfix ( . [] () ) and filters and tests.
#include "Parser.h"

#include "Builtins.h"
#include "Lexer.h"

#include <algorithm>
#include <initializer_list>

namespace llmc::jinja {
namespace {

constexpr int maxNesting = 100;   // brackets and blocks, bounds the parser's own recursion
constexpr int maxTreeDepth = 300; // chains like a+b+c+… build deep trees without recursion

class Parser {
public:
  explicit Parser(std::vector<Token> tokens) : tokens(std::move(tokens)) {}

  Body run() {
    Body body = statements({});
    if (current().kind != TokenKind::End)
      fail("unexpected '" + current().text + "'");
    return body;
  }

private:
  std::vector<Token> tokens;
  size_t next = 0;
  int nesting = 0;
  int conditional = 0; // inside an if: an unknown filter there fails only when it is reached
  int loops = 0;
  bool sawVarargs = false, sawKwargs = false;

  struct Nest {
    explicit Nest(Parser &p) : parser(p) {
      if (++p.nesting > maxNesting)
        p.fail("nested too deeply: more than " + std::to_string(maxNesting) + " levels");
    }
    ~Nest() { --parser.nesting; }
    Parser &parser;
  };

  const Token &current() const { return tokens[next]; }
  const Token &peek() const { return tokens[std::min(next + 1, tokens.size() - 1)]; }
  Token take() { return current().kind == TokenKind::End ? current() : tokens[next++]; }
  [[noreturn]] void fail(const std::string &message, int line = 0) const {
    throw TemplateError(message, line ? line : current().line);
  }
  bool isName(std::string_view name) const { return current().kind == TokenKind::Name && current().text == name; }
  bool isOp(std::string_view op) const { return current().kind == TokenKind::Operator && current().text == op; }
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
        fail("expression is too long: more than " + std::to_string(maxTreeDepth) + " chained operations", parent.line);
    }
    parent.args.push_back(std::move(child));
  }

  // --- statements ---

  /// Parses until a block whose name is in `ends`; leaves that name as the current token.
  Body statements(std::initializer_list<std::string_view> ends) {
    Nest guard(*this);
    const int startLine = current().line;
    Body body;
    while (true) {
      const Token &token = current();
      if (token.kind == TokenKind::End) {
        if (ends.size())
          fail("unexpected end of template, expected '" + std::string(*(ends.end() - 1)) + "'", startLine);
        return body;
      }
      if (token.kind == TokenKind::Data) {
        auto stmt = std::make_unique<Stmt>(StmtKind::Data, token.line);
        stmt->value = Value::constant(Text(token.text, false));
        body.push_back(std::move(stmt));
        ++next;
      } else if (token.kind == TokenKind::VariableBegin) {
        auto stmt = std::make_unique<Stmt>(StmtKind::Output, token.line);
        ++next;
        stmt->expr = tuple(true);
        if (current().kind != TokenKind::VariableEnd)
          fail("expected '}}', found " + describe());
        ++next;
        body.push_back(std::move(stmt));
      } else {
        ++next; // BlockBegin: outside of tags nothing else is left
        if (current().kind != TokenKind::Name)
          fail("expected the name of a statement, found " + describe());
        if (std::find(ends.begin(), ends.end(), current().text) != ends.end())
          return body;
        body.push_back(statement());
      }
    }
  }

  Body blockBody(std::initializer_list<std::string_view> ends) {
    expectBlockEnd();
    return statements(ends);
  }

  /// A body up to its only end word, which is consumed with its "%}".
  Body wholeBody(std::string_view end) {
    Body body = blockBody({end});
    ++next;
    expectBlockEnd();
    return body;
  }

  StmtPtr statement() {
    const Token word = take();
    const std::string &w = word.text;
    auto make = [&](StmtKind kind) { return std::make_unique<Stmt>(kind, word.line); };
    if (w == "if")
      return ifStatement(make(StmtKind::If));
    if (w == "for")
      return forStatement(make(StmtKind::For));
    if (w == "set")
      return setStatement(make(StmtKind::Set));
    if (w == "macro") {
      auto stmt = make(StmtKind::Macro);
      stmt->name = expectName();
      signature(*stmt);
      macroBody(*stmt, "endmacro");
      return stmt;
    }
    if (w == "call") {
      auto stmt = make(StmtKind::CallBlock);
      if (isOp("("))
        signature(*stmt);
      stmt->expr = expression();
      if (stmt->expr->kind != ExprKind::Call)
        fail("'call' needs a call");
      macroBody(*stmt, "endcall");
      return stmt;
    }
    if (w == "filter") {
      auto stmt = make(StmtKind::FilterBlock);
      stmt->expr = filters(node(ExprKind::Captured, word.line), true);
      stmt->bodies.push_back(wholeBody("endfilter"));
      return stmt;
    }
    if (w == "generation") {
      auto stmt = make(StmtKind::Scope);
      stmt->bodies.push_back(wholeBody("endgeneration"));
      return stmt;
    }
    if (w == "with") {
      auto stmt = make(StmtKind::With);
      while (current().kind != TokenKind::BlockEnd) {
        if (!stmt->targets.empty())
          expectOp(",");
        stmt->targets.push_back(target(false));
        expectOp("=");
        stmt->conditions.push_back(expression());
      }
      stmt->bodies.push_back(wholeBody("endwith"));
      return stmt;
    }
    if (w == "break" || w == "continue") {
      if (!loops)
        fail("'" + w + "' outside of a loop", word.line);
      auto stmt = make(w == "break" ? StmtKind::Break : StmtKind::Continue);
      expectBlockEnd();
      return stmt;
    }
    fail("unknown statement '" + w + "'", word.line);
  }

  StmtPtr ifStatement(StmtPtr stmt) {
    ++conditional;
    stmt->conditions.push_back(tuple(false));
    while (true) {
      stmt->bodies.push_back(blockBody({"elif", "else", "endif"}));
      const std::string word = take().text;
      if (word == "elif") {
        stmt->conditions.push_back(tuple(false));
        continue;
      }
      if (word == "else")
        stmt->bodies.push_back(wholeBody("endif"));
      else
        expectBlockEnd();
      break;
    }
    --conditional;
    return stmt;
  }

  StmtPtr forStatement(StmtPtr stmt) {
    stmt->target = target(false, true);
    if (!skipName("in"))
      fail("expected 'in', found " + describe());
    stmt->expr = tuple(false, "recursive");
    if (skipName("if"))
      stmt->condition = expression();
    stmt->recursive = skipName("recursive");
    ++loops;
    stmt->bodies.push_back(blockBody({"else", "endfor"}));
    --loops;
    if (take().text == "else")
      stmt->bodies.push_back(wholeBody("endfor"));
    else
      expectBlockEnd();
    return stmt;
  }

  StmtPtr setStatement(StmtPtr stmt) {
    stmt->target = target(true);
    if (skipOp("=")) {
      stmt->expr = tuple(true);
      expectBlockEnd();
      return stmt;
    }
    stmt->kind = StmtKind::SetBlock;
    stmt->expr = filters(node(ExprKind::Captured, stmt->line), false);
    stmt->bodies.push_back(wholeBody("endset"));
    return stmt;
  }

  void macroBody(Stmt &stmt, std::string_view end) {
    const int outerLoops = std::exchange(loops, 0);
    const bool outerVarargs = std::exchange(sawVarargs, false), outerKwargs = std::exchange(sawKwargs, false);
    stmt.bodies.push_back(wholeBody(end));
    stmt.usesVarargs = std::exchange(sawVarargs, outerVarargs);
    stmt.usesKwargs = std::exchange(sawKwargs, outerKwargs);
    loops = outerLoops;
  }

  void signature(Stmt &stmt) {
    expectOp("(");
    bool first = true;
    for (; !isOp(")"); first = false) {
      if (!first) {
        expectOp(",");
        if (isOp(")"))
          break;
      }
      std::string name = assignable(expectName());
      ExprPtr value;
      if (skipOp("="))
        value = expression();
      else if (!stmt.parameters.empty() && stmt.parameters.back().second)
        fail("parameter '" + name + "' without a default follows one with a default");
      stmt.parameters.emplace_back(std::move(name), std::move(value));
    }
    expectOp(")");
  }

  std::string assignable(std::string name) {
    for (std::string_view reserved : {"true", "false", "none", "True", "False", "None", "loop"})
      if (name == reserved)
        fail("cannot assign to '" + name + "'");
    return name;
  }

  ExprPtr target(bool withNamespace, bool endsAtIn = false) {
    const int line = current().line;
    auto one = [&]() -> ExprPtr {
      Nest guard(*this);
      if (skipOp("(")) {
        ExprPtr inner = target(withNamespace);
        expectOp(")");
        return inner;
      }
      const int nameLine = current().line;
      std::string name = expectName();
      if (withNamespace && skipOp(".")) {
        ExprPtr ref = node(ExprKind::NamespaceRef, nameLine);
        ref->name = std::move(name);
        ref->value = Value::constant(Text(expectName(), false));
        return ref;
      }
      ExprPtr result = node(ExprKind::Name, nameLine);
      result->name = assignable(std::move(name));
      return result;
    };
    ExprPtr first = one();
    if (!isOp(","))
      return first;
    ExprPtr result = node(ExprKind::Tuple, line);
    add(*result, std::move(first));
    while (skipOp(",") && !isOp("=") && !isOp(")") && !(endsAtIn && isName("in")))
      add(*result, one());
    return result;
  }

  // --- expressions ---

  bool tupleEnds(std::string_view extraEnd) const {
    return current().kind == TokenKind::VariableEnd || current().kind == TokenKind::BlockEnd || isOp(")") ||
           (!extraEnd.empty() && isName(extraEnd));
  }

  ExprPtr tuple(bool withCondition, std::string_view extraEnd = {}, bool parenthesized = false) {
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

  ExprPtr expression(bool withCondition = true) {
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

  ExprPtr logical(ExprKind kind) {
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

  ExprPtr negation() {
    if (!isName("not"))
      return comparison();
    Nest guard(*this);
    ExprPtr result = node(ExprKind::Not, take().line);
    add(*result, negation());
    return result;
  }

  bool comparisonOp(Op &op) {
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

  ExprPtr comparison() {
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

  ExprPtr binary(ExprPtr left, Op op, int line, ExprPtr right) {
    ExprPtr result = node(ExprKind::Binary, line);
    result->op = op;
    add(*result, std::move(left));
    add(*result, std::move(right));
    return result;
  }

  ExprPtr sum() {
    ExprPtr left = concatenation();
    while (isOp("+") || isOp("-")) {
      const Token op = take();
      left = binary(std::move(left), op.text == "+" ? Op::Add : Op::Sub, op.line, concatenation());
    }
    return left;
  }

  ExprPtr concatenation() {
    ExprPtr left = product();
    if (!isOp("~"))
      return left;
    ExprPtr result = node(ExprKind::Concat, current().line);
    add(*result, std::move(left));
    while (skipOp("~"))
      add(*result, product());
    return result;
  }

  ExprPtr product() {
    ExprPtr left = power();
    while (isOp("*") || isOp("/") || isOp("//") || isOp("%")) {
      const Token op = take();
      const Op kind = op.text == "*" ? Op::Mul : op.text == "/" ? Op::Div : op.text == "//" ? Op::FloorDiv : Op::Mod;
      left = binary(std::move(left), kind, op.line, power());
    }
    return left;
  }

  ExprPtr power() {
    ExprPtr left = unary();
    while (isOp("**")) {
      const int line = take().line;
      left = binary(std::move(left), Op::Pow, line, unary());
    }
    return left;
  }

  ExprPtr unary(bool withFilters = true) {
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

  ExprPtr constant(Value value, int line) {
    ExprPtr result = node(ExprKind::Constant, line);
    result->value = std::move(value);
    return result;
  }

  ExprPtr primary() {
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

  ExprPtr sequence(ExprKind kind, std::string_view close, int line) {
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

  ExprPtr postfix(ExprPtr operand) {
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

  ExprPtr subscript(ExprPtr operand, int line) {
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

  /// Arguments after the operand in args[0].
  void arguments(Expr &call) {
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
      } else if (current().kind == TokenKind::Name && peek().kind == TokenKind::Operator && peek().text == "=") {
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

  ExprPtr call(ExprPtr operand) {
    ExprPtr result = node(ExprKind::Call, current().line);
    add(*result, std::move(operand));
    arguments(*result);
    return result;
  }

  ExprPtr filterChain(ExprPtr operand) {
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

  ExprPtr filters(ExprPtr operand, bool startsInline) {
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

  ExprPtr test(ExprPtr operand) {
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
};

} // namespace

Body parseTemplate(std::string_view source) { return Parser(tokenize(source)).run(); }

} // namespace llmc::jinja
