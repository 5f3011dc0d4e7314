//===- Locations.cpp - where ops come from --------------------------------===//
#include "ir/Locations.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

using namespace mlir;

/// Stands between the names of several results; hardly anybody names a value with it.
constexpr char between = '.';

/// The NameLoc that names a value, not a place.
static NameLoc nameAround(Location loc) {
  auto name = dyn_cast<NameLoc>(loc);
  return name && !isa<UnknownLoc>(name.getChildLoc()) ? name : NameLoc();
}

Location llmc::placeNamed(MLIRContext *context, StringRef place) {
  return NameLoc::get(StringAttr::get(context, place));
}

Location llmc::valueNamed(StringRef name, Location loc) {
  return NameLoc::get(StringAttr::get(loc.getContext(), name), placeOf(loc));
}

StringRef llmc::valueName(Location loc) {
  NameLoc name = nameAround(loc);
  return name ? name.getName().getValue() : StringRef();
}

SmallVector<StringRef> llmc::valueNames(Location loc, unsigned nResults) {
  SmallVector<StringRef> names;
  StringRef name = valueName(loc);
  if (nResults == 1 && !name.empty())
    names.push_back(name);
  else if (nResults > 1)
    name.split(names, between);
  if (names.size() != nResults || llvm::is_contained(names, ""))
    names.clear();
  return names;
}

Location llmc::placeOf(Location loc) {
  while (NameLoc name = nameAround(loc))
    loc = name.getChildLoc();
  return loc;
}

static Location fusePlaces(MLIRContext *context, ArrayRef<Location> locs) {
  SmallVector<Location> places;
  for (Location loc : locs)
    places.push_back(llmc::placeOf(loc));
  return FusedLoc::get(context, places);
}

Location llmc::fuseLocations(MLIRContext *context, ArrayRef<Location> locs) {
  Location places = fusePlaces(context, locs);
  for (Location loc : llvm::reverse(locs))
    if (StringRef name = valueName(loc); !name.empty())
      return valueNamed(name, places);
  return places;
}

Location llmc::joinLocations(MLIRContext *context, ArrayRef<Location> locs) {
  Location places = fusePlaces(context, locs);
  SmallVector<StringRef> names;
  for (Location loc : locs)
    if (StringRef name = valueName(loc); !name.empty())
      names.push_back(name);
  return names.empty() ? places : valueNamed(llvm::join(names, StringRef(&between, 1)), places);
}

/// The words for each place, each once.
static void describe(Location loc, SmallVectorImpl<std::string> &words) {
  std::string text;
  loc = llmc::placeOf(loc);
  if (auto line = dyn_cast<FileLineColLoc>(loc))
    text = (llvm::sys::path::filename(line.getFilename()) + ":" + llvm::Twine(line.getLine())).str();
  else if (auto name = dyn_cast<NameLoc>(loc))
    text = name.getName().str();
  else if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      describe(part, words);
  if (!text.empty() && !llvm::is_contained(words, text))
    words.push_back(text);
}

std::string llmc::describeLocation(Location loc) {
  SmallVector<std::string> words;
  describe(loc, words);
  return llvm::join(words, " + ");
}
