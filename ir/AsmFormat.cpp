//===- AsmFormat.cpp - the textual form that the dialects share -----------===//
#include "ir/AsmFormat.h"

#include "ir/StepOps.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

#include <charconv>

using namespace mlir;
using namespace llmc;

//===----------------------------------------------------------------------===//
// The dictionary
//===----------------------------------------------------------------------===//

/// Attributes that are numbers with a fraction: an integer written for one of them stands for the float.
static bool isFloatParam(StringRef key) {
  static const llvm::StringSet<> keys = {"eps",    "norm_eps",    "scale", "softcap", "base", "rope_base",
                                         "factor", "rope_factor", "cap",   "min",     "max"};
  return keys.contains(key);
}

/// Attributes that the assembly format writes before the braces. A kernel's `cache` is a layout, not a name.
static bool isWrittenElsewhere(OperationName op, StringRef key) {
  if (key == "cache")
    return op.getStringRef() != step::KernelOp::getOperationName();
  return key == "sym_name" || key == "operandSegmentSizes" || key == "kernel" || key == "args";
}

static bool isBareWord(StringRef text) {
  if (text.empty() || !(llvm::isAlpha(text[0]) || text[0] == '_') || text == "true" || text == "false" ||
      text == "array" || text == "dense" || text == "unit")
    return false;
  return llvm::all_of(text, [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

static bool isArrayParam(StringRef key) { return key == "freqs" || key == "rope_freqs" || key == "values"; }

/// A list of words, or a single one.
static bool isWordList(StringRef key) { return key == "to" || key == "type"; }

/// One value: a bare word, `[words]`, `[numbers]` for a dense array, or any builtin attribute.
static ParseResult parseValue(OpAsmParser &parser, StringRef key, Attribute &value) {
  MLIRContext *context = parser.getContext();
  StringRef word;
  if (succeeded(parser.parseOptionalKeyword(&word, {"true", "false"}))) {
    value = BoolAttr::get(context, word == "true");
    return success();
  }
  if (succeeded(parser.parseOptionalKeyword(&word))) {
    value = StringAttr::get(context, word);
    return success();
  }
  if (isArrayParam(key)) {
    SmallVector<double> numbers;
    auto element = [&]() -> ParseResult {
      double number;
      if (parser.parseFloat(number))
        return failure();
      numbers.push_back(number);
      return success();
    };
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, element))
      return failure();
    if (key == "values") {
      SmallVector<float> narrow(numbers.begin(), numbers.end());
      value = DenseF32ArrayAttr::get(context, narrow);
    } else {
      value = DenseF64ArrayAttr::get(context, numbers);
    }
    return success();
  }
  if (key == "shape" || key == "order") {
    SmallVector<int64_t> numbers;
    auto element = [&]() -> ParseResult { return parser.parseInteger(numbers.emplace_back()); };
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, element))
      return failure();
    value = DenseI64ArrayAttr::get(context, numbers);
    return success();
  }
  if (isWordList(key) && succeeded(parser.parseOptionalLSquare())) {
    SmallVector<Attribute> words;
    auto element = [&]() -> ParseResult {
      std::string text;
      if (parser.parseKeywordOrString(&text))
        return failure();
      words.push_back(StringAttr::get(context, text));
      return success();
    };
    if (parser.parseCommaSeparatedList(element) || parser.parseRSquare())
      return failure();
    value = ArrayAttr::get(context, words);
    return success();
  }
  if (parser.parseAttribute(value))
    return failure();
  if (auto integer = dyn_cast<IntegerAttr>(value);
      integer && isFloatParam(key) && integer.getType().isInteger(64))
    value = FloatAttr::get(Float64Type::get(context), static_cast<double>(integer.getInt()));
  return success();
}

ParseResult llmc::parseParams(OpAsmParser &parser, OperationState &state, NamedAttrList &attrs) {
  SMLoc loc = parser.getCurrentLocation();
  NamedAttrList parsed;
  auto entry = [&]() -> ParseResult {
    SMLoc keyLoc = parser.getCurrentLocation();
    std::string key;
    if (parser.parseKeywordOrString(&key))
      return failure();
    if (!llvm::is_contained(state.name.getAttributeNames(), key) || isWrittenElsewhere(state.name, key))
      return parser.emitError(keyLoc) << "has no attribute '" << key << "'";
    Attribute value = UnitAttr::get(parser.getContext());
    if (succeeded(parser.parseOptionalEqual()) && parseValue(parser, key, value))
      return failure();
    if (parsed.get(key))
      return parser.emitError(keyLoc) << "attribute '" << key << "' is given twice";
    parsed.append(key, value);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::OptionalBraces, entry))
    return failure();
  attrs.append(parsed);
  // Errors of the parser already begin with the op's name.
  return state.name.verifyInherentAttrs(attrs, [&] { return parser.emitError(loc); });
}

/// The shortest digits that read back as the same number, with the point that MLIR's floats need: 1.0e-05,
/// 0.125.
template <typename Number> static void printNumber(OpAsmPrinter &printer, Number number) {
  char digits[32];
  StringRef text(digits, std::to_chars(digits, std::end(digits), number).ptr - digits);
  auto [mantissa, exponent] = text.split('e');
  printer << mantissa;
  if (!mantissa.contains('.') && llvm::isDigit(mantissa.back()))
    printer << ".0";
  if (!exponent.empty())
    printer << "e" << exponent;
}

template <typename Number> static void printNumbers(OpAsmPrinter &printer, ArrayRef<Number> numbers) {
  printer << "[";
  llvm::interleaveComma(numbers, printer, [&](Number number) { printNumber(printer, number); });
  printer << "]";
}

static void printValue(OpAsmPrinter &printer, StringRef key, Attribute value) {
  if (auto text = dyn_cast<StringAttr>(value); text && isBareWord(text.getValue()))
    printer << text.getValue();
  else if (auto number = dyn_cast<FloatAttr>(value); number && number.getValue().isFinite())
    printNumber(printer, number.getValueAsDouble());
  else if (auto array = dyn_cast<DenseF64ArrayAttr>(value))
    printNumbers(printer, array.asArrayRef());
  else if (auto floats = dyn_cast<DenseF32ArrayAttr>(value))
    printNumbers(printer, floats.asArrayRef());
  else if (auto ints = dyn_cast<DenseI64ArrayAttr>(value)) {
    printer << "[";
    llvm::interleaveComma(ints.asArrayRef(), printer);
    printer << "]";
  } else if (auto list = dyn_cast<ArrayAttr>(value); list && isWordList(key)) {
    printer << "[";
    llvm::interleaveComma(list, printer, [&](Attribute word) { printValue(printer, key, word); });
    printer << "]";
  } else
    printer.printAttributeWithoutType(value);
}

/// Values that the op has when the key is left out.
static bool isDefault(Operation *op, StringRef key, Attribute value) {
  if (auto text = dyn_cast<StringAttr>(value))
    return (key == "norm" || key == "act") && text.getValue() == "none";
  if (auto number = dyn_cast<FloatAttr>(value))
    return number.getValueAsDouble() == 1.0 &&
           (key == "factor" ? isa<lm::RopeOp>(op) : key == "scale" && isa<lm::EmbedOp>(op));
  if (auto number = dyn_cast<IntegerAttr>(value))
    return key == "offset" && isa<lm::PositionEmbedOp>(op) && number.getInt() == 0;
  return false;
}

void llmc::printParams(OpAsmPrinter &printer, Operation *op) {
  bool isFirst = true;
  // In the order of the alphabet, as TableGen lists them.
  for (StringAttr name : op->getName().getAttributeNames()) {
    Attribute value = op->getAttr(name);
    if (!value || isWrittenElsewhere(op->getName(), name) || isDefault(op, name, value))
      continue;
    printer << (isFirst ? "{" : ", ") << name.getValue();
    isFirst = false;
    if (isa<UnitAttr>(value))
      continue;
    printer << " = ";
    printValue(printer, name, value);
  }
  if (!isFirst)
    printer << "}";
  else if (op->getNumRegions()) // an op with a body keeps its braces: `lm.model @m {} {`
    printer << "{}";
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

ParseResult lm::parseWeightShape(AsmParser &parser, SmallVector<int64_t> &shape) {
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseDimensionList(shape, /*allowDynamic=*/false, /*withTrailingX=*/false))
    return failure();
  if (shape.empty() || shape.size() > 2)
    return parser.emitError(loc, "expected a weight of 1 or 2 dimensions but got ") << shape.size();
  for (int64_t dim : shape)
    if (dim <= 0 || dim > (int64_t(1) << 31))
      return parser.emitError(loc, "expected dimensions between 1 and 2^31 but got ") << dim;
  return success();
}

void lm::printWeightShape(AsmPrinter &printer, ArrayRef<int64_t> shape) { printer.printDimensionList(shape); }

/// `<576>`, or the full `!lm.weight<576>`.
static ParseResult parseWeight(OpAsmParser &parser, lm::WeightType &type) {
  if (succeeded(parser.parseOptionalLess())) {
    SmallVector<int64_t> shape;
    if (lm::parseWeightShape(parser, shape) || parser.parseGreater())
      return failure();
    type = lm::WeightType::get(parser.getContext(), shape);
    return success();
  }
  return parser.parseType(type);
}

static void printWeight(OpAsmPrinter &printer, Type type) {
  printer << "<";
  printer.printDimensionList(cast<lm::WeightType>(type).getShape());
  printer << ">";
}

/// `<576>` where the gain is as wide as the rows; else `tensor<?x576xf32>` and, after a comma, the gain's
/// type.
ParseResult lm::parseNormTypes(OpAsmParser &parser, OptionalOperand gain, OptionalOperand bias, Type &x,
                               Type &gainType, Type &biasType) {
  WeightType weight;
  Type rows;
  OptionalParseResult full = parser.parseOptionalType(rows);
  if (full.has_value()) {
    if (failed(*full))
      return failure();
    x = rows;
    if (gain && (parser.parseComma() || parseWeight(parser, weight)))
      return failure();
  } else {
    if (parseWeight(parser, weight))
      return failure();
    x = rowsOf(weight, 0);
  }
  if (gain)
    gainType = weight;
  if (bias)
    biasType = weight;
  return success();
}

void lm::printNormTypes(OpAsmPrinter &printer, Operation *, Value gain, Value, Type x, Type gainType, Type) {
  if (!gain) {
    printer << x;
  } else if (rowsOf(gainType, 0) == x) {
    printWeight(printer, gainType);
  } else {
    printer << x << ", ";
    printWeight(printer, gainType);
  }
}

ParseResult lm::parseNormType(OpAsmParser &parser, OptionalOperand gain, Type &x, Type &gainType) {
  Type none;
  return parseNormTypes(parser, gain, std::nullopt, x, gainType, none);
}

void lm::printNormType(OpAsmPrinter &printer, Operation *op, Value gain, Type x, Type gainType) {
  printNormTypes(printer, op, gain, {}, x, gainType, {});
}

/// q, k and v; then `-> type` where the result is not as wide as q.
ParseResult lm::parseAttentionTypes(OpAsmParser &parser, Type &q, Type &k, Type &v, Type &y) {
  if (parser.parseType(q) || parser.parseComma() || parser.parseType(k) || parser.parseComma() ||
      parser.parseType(v))
    return failure();
  y = q;
  return succeeded(parser.parseOptionalArrow()) ? parser.parseType(y) : ParseResult(success());
}

void lm::printAttentionTypes(OpAsmPrinter &printer, Operation *, Type q, Type k, Type v, Type y) {
  printer << q << ", " << k << ", " << v;
  if (y != q)
    printer << " -> " << y;
}

/// The weights' types, then the results'.
ParseResult lm::parseFusedTypes(OpAsmParser &parser, OptionalOperand gain, OptionalOperand normBias,
                                ArrayRef<Operand> biases, OptionalOperand residual, Type &x, Type &gainType,
                                Type &normBiasType, SmallVectorImpl<Type> &weights,
                                SmallVectorImpl<Type> &biasTypes, Type &residualType,
                                SmallVectorImpl<Type> &results) {
  auto weight = [&]() -> ParseResult {
    WeightType type;
    if (parseWeight(parser, type))
      return failure();
    weights.push_back(type);
    return success();
  };
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseCommaSeparatedList(weight) || parser.parseArrowTypeList(results))
    return failure();
  if (residual && results.empty())
    return parser.emitError(loc, "expected a result, which the residual is added to");
  x = rowsOf(weights.front(), 1);
  if (gain)
    gainType = vectorOf(weights.front(), 1);
  if (normBias)
    normBiasType = vectorOf(weights.front(), 1);
  if (!biases.empty())
    for (Type type : weights)
      biasTypes.push_back(vectorOf(type, 0));
  if (residual)
    residualType = results.front();
  return success();
}

void lm::printFusedTypes(OpAsmPrinter &printer, Operation *, Value, Value, ValueRange, Value, Type, Type,
                         Type, TypeRange weights, TypeRange, Type, TypeRange results) {
  llvm::interleaveComma(weights, printer, [&](Type type) { printWeight(printer, type); });
  printer.printArrowTypeList(results);
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

ParseResult lm::parseEntryBody(OpAsmParser &parser, Region &body) {
  SmallVector<OpAsmParser::Argument> args;
  return failure(parser.parseArgumentList(args, AsmParser::Delimiter::Paren, /*allowType=*/true) ||
                 parser.parseRegion(body, args));
}

static void printArguments(OpAsmPrinter &printer, Region &body) {
  printer << "(";
  llvm::interleaveComma(body.getArguments(), printer,
                        [&](BlockArgument arg) { printer.printRegionArgument(arg); });
  printer << ") ";
}

void lm::printEntryBody(OpAsmPrinter &printer, Operation *, Region &body) {
  printArguments(printer, body);
  printer.printRegion(body, /*printEntryBlockArgs=*/false);
}

ParseResult step::parseKernelBody(OpAsmParser &parser, Region &body) {
  return lm::parseEntryBody(parser, body);
}
void step::printKernelBody(OpAsmPrinter &printer, Operation *op, Region &body) {
  lm::printEntryBody(printer, op, body);
}

/// `iter(%h = %x0 : type, …) {…}, {…}`: the arguments are written once and belong to every region.
ParseResult lm::parseLayerBodies(OpAsmParser &parser, SmallVectorImpl<Operand> &inits,
                                 SmallVectorImpl<Type> &initTypes, SmallVectorImpl<Type> &resultTypes,
                                 SmallVectorImpl<std::unique_ptr<Region>> &bodies) {
  SmallVector<OpAsmParser::Argument> args;
  auto iterated = [&]() -> ParseResult {
    OpAsmParser::Argument &arg = args.emplace_back();
    // A location stands behind the name, and parseArgument reads it.
    return failure(parser.parseArgument(arg) || parser.parseEqual() ||
                   parser.parseOperand(inits.emplace_back()) || parser.parseColonType(arg.type));
  };
  if (parser.parseKeyword("iter") || parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, iterated))
    return failure();
  for (const OpAsmParser::Argument &arg : args) {
    initTypes.push_back(arg.type);
    resultTypes.push_back(arg.type);
  }
  auto body = [&]() -> ParseResult { return parser.parseRegion(*bodies.emplace_back(new Region()), args); };
  return parser.parseCommaSeparatedList(body);
}

void lm::printLayerBodies(OpAsmPrinter &printer, Operation *, OperandRange inits, TypeRange, TypeRange,
                          MutableArrayRef<Region> bodies) {
  printer << "iter(";
  if (!bodies.empty())
    llvm::interleaveComma(llvm::zip(bodies.front().getArguments(), inits), printer, [&](auto pair) {
      auto [arg, init] = pair;
      printer.printRegionArgument(arg, {}, /*omitType=*/true);
      printer << " = " << init << " : " << arg.getType();
    });
  printer << ") ";
  llvm::interleaveComma(bodies, printer,
                        [&](Region &body) { printer.printRegion(body, /*printEntryBlockArgs=*/false); });
}
