//===- Cache.cpp - models compiled on the way to running them -------------===//
//
// `llmc run model.gguf` compiles into a cache folder first. An entry is named after the source and a hash of
// all that decides its bytes: the content of the source files, the options, the compiler. Where a model's
// rotary frequencies depend on --ctx, which only the compiled model tells, what was compiled with it is
// NAME-F-L.so, for the contexts of F to L tokens that its manifest names. Next to NAME.so:
//
//   NAME.lock   locked by whoever compiles the entry, and by the compiler that it started; others wait
//   NAME.part/  where that happens; what is in it when nobody holds the lock is left over, from a kill or a
//               power cut
//   hashes/     contents of files already read (CacheKey.cpp)
//
// Finished entries are renamed into place, so a reader never sees half of one. Readers hold a shared lock on
// the entry itself, and only entries that nobody holds are removed: those unused for longest, when the folder
// grows beyond its bound.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Cache.h"
#include "tools/llmc/Compiler.h"
#include "tools/llmc/Files.h"
#include "tools/llmc/Interrupt.h"
#include "tools/llmc/NewFile.h"
#include "tools/support/CacheFolder.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace llmc::cli {
std::filesystem::path cacheFolder() {
  std::string folder = llmc::cacheFolder();
  if (folder.empty())
    throw Failure(
        "no cache folder: neither XDG_CACHE_HOME nor HOME is set; use llmc compile and run its result");
  return folder;
}

uint64_t cacheBytes() {
  uint64_t bytes = uint64_t(16) << 30;
  if (const char *wish = std::getenv("LLMC_CACHE_BYTES"); wish && *wish) {
    const char *end = wish + std::strlen(wish);
    auto [stop, error] = std::from_chars(wish, end, bytes);
    if (error != std::errc() || stop != end)
      throw Failure(fmt::format("LLMC_CACHE_BYTES: expected a number of bytes, but found '{}'", wish));
  }
  return bytes;
}

bool removeUnused(const std::filesystem::path &entry) {
  std::error_code error;
  FileDescriptor file(open(entry.c_str(), O_RDONLY | O_CLOEXEC));
  return file && flock(file.get(), LOCK_EX | LOCK_NB) == 0 && std::filesystem::remove(entry, error);
}

namespace {

namespace fs = std::filesystem;

/// Whether `path` is still the file behind the descriptor: it may have been removed between open and lock.
bool isStill(const FileDescriptor &file, const fs::path &path) {
  struct stat opened, named;
  return fstat(file.get(), &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/// The entry with a shared lock on it; none if it is not there.
FileDescriptor useEntry(const fs::path &entry) {
  for (;;) {
    FileDescriptor file(open(entry.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
      return file;
    if (flock(file.get(), LOCK_SH) == 0 && isStill(file, entry)) {
      futimens(file.get(), nullptr); // the time of its last use
      return file;
    }
  }
}

/// The lock of an entry, waiting for whoever has it; with `isPatient` false none if somebody has it.
FileDescriptor lockEntry(const fs::path &path, bool isPatient) {
  InterruptScope scope;
  for (;;) {
    FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (!file)
      throw Failure(fmt::format("{}: cannot write: {}", path.string(), std::strerror(errno)));
    if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (!isPatient)
        return FileDescriptor();
      fmt::print(stderr, "llmc: waiting for another llmc that compiles the same model\n");
      if (flock(file.get(), LOCK_EX) != 0) {
        scope.check();
        throw Failure(fmt::format("{}: cannot lock: {}", path.string(), std::strerror(errno)));
      }
    }
    if (isStill(file, path))
      return file;
  }
}

/// A folder to compile in. At its end it goes, and with it the lock, which whoever waits for it then makes
/// anew.
struct PartFolder {
  fs::path path, lock;
  PartFolder(fs::path place, fs::path lockFile) : path(std::move(place)), lock(std::move(lockFile)) {
    std::error_code error;
    fs::remove_all(path, error); // left over
    fs::create_directory(path, error);
    if (error)
      throw Failure(fmt::format("{}: cannot make the folder: {}", path.string(), error.message()));
  }
  ~PartFolder() {
    std::error_code error;
    fs::remove_all(path, error);
    fs::remove(lock, error);
  }
};

/// Removes what compilations left behind that never ended: locks that nobody holds, and their folders.
void sweep(const fs::path &folder) {
  std::error_code error, ignored;
  std::vector<fs::path> locks;
  for (const fs::directory_entry &file : fs::directory_iterator(folder, error)) {
    if (file.path().extension() == ".lock")
      locks.push_back(file.path());
    if (file.path().extension() == ".part") // its lock may be gone
      locks.push_back(fs::path(file.path()).replace_extension(".lock"));
  }
  for (const fs::path &lock : locks)
    if (FileDescriptor held = lockEntry(lock, /*isPatient=*/false)) {
      fs::remove_all(fs::path(lock).replace_extension(".part"), ignored);
      fs::remove(lock, ignored);
    }
}

/// Removes what was used longest ago until the folder is within `bound` bytes; nothing that somebody uses.
/// Failures are no reason to stop: another process may be doing the same.
void evict(const fs::path &folder, uint64_t bound) {
  struct Entry {
    fs::file_time_type used;
    uint64_t size;
    fs::path path;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  std::error_code error;
  for (const fs::directory_entry &file : fs::directory_iterator(folder, error)) {
    std::error_code timeError, sizeError;
    Entry entry{file.last_write_time(timeError), file.file_size(sizeError), file.path()};
    if (timeError || sizeError || file.path().extension() != ".so")
      continue;
    total += entry.size;
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) { return a.used < b.used; });
  for (const Entry &entry : entries) {
    if (total <= bound)
      break;
    if (removeUnused(entry.path))
      total -= entry.size;
  }
  for (const fs::directory_entry &note : fs::directory_iterator(folder / "hashes", error))
    if (std::error_code timeError, removeError;
        fs::file_time_type::clock::now() - note.last_write_time(timeError) > std::chrono::days(60) &&
        !timeError)
      fs::remove(note.path(), removeError);
}

/// The options that a model needs to run as the command line asks. --ctx is one of them, see above.
std::vector<std::string> compileOptions(const ModelOptions &options) {
  std::vector<std::string> words;
  if (options.kv != "auto")
    words = {"--kv", options.kv};
  if (const char *target = deviceTarget(deviceWord(options.device)))
    words.insert(words.end(), {"--target", target});
  return words;
}

void compile(const std::string &source, const fs::path &output, const ModelOptions &options, int keepOpen) {
  std::vector<std::string> arguments = {"compile", source, "-o", output.string()};
  for (std::string &option : compileOptions(options))
    arguments.push_back(std::move(option));
  if (options.ctx)
    arguments.insert(arguments.end(),
                     {"--ctx", std::to_string(std::min(options.ctx, 1u << 24))}); // none has more
  if (options.noCache)
    arguments.push_back("--no-cache"); // nor are kernels kept
  if (int code = runCompiler(arguments, keepOpen))
    throw Exit{code}; // the compiler has said why
}

std::string entryName(const std::vector<fs::path> &files, const fs::path &source, const fs::path &hashes,
                      const ModelOptions &options) {
  std::string key = fmt::format("{}\n{}\n{}\n", llmc_version_string(), contentHash(compilerPath(), hashes),
                                fmt::join(compileOptions(options), " "));
  for (const fs::path &file : files)
    key += fmt::format("{} {}\n", file.lexically_relative(source.parent_path()).string(),
                       contentHash(file, hashes));
  XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  fs::path stem = fs::is_directory(source) ? source.filename() : source.stem();
  return fmt::format("{}-{:016x}{:016x}", stem.string().substr(0, 100), hash.high64, hash.low64);
}

/// The contexts that a compiled model is for. Of a damaged one nothing is known: who loads it will say so.
RopeContexts contextsOf(const fs::path &entry) {
  try {
    MappedFile file;
    ModuleContents contents;
    openModule(entry, file, contents);
    return ropeContexts(contents);
  } catch (const Failure &) {
    return {};
  }
}

/// The entry NAME-F-L.so for this context; empty if there is none.
std::string entryForContext(const fs::path &base, uint64_t context) {
  std::error_code error;
  const std::string start = base.filename().string() + "-";
  for (const fs::directory_entry &file : fs::directory_iterator(base.parent_path(), error)) {
    std::string name = file.path().filename();
    RopeContexts contexts;
    if (name.starts_with(start) &&
        std::sscanf(name.c_str() + start.size(), "%lu-%lu.so", &contexts.first, &contexts.last) == 2 &&
        contexts.hold(context) && file.path().extension() == ".so")
      return file.path();
  }
  return "";
}

CompiledModel compiledAside(const std::string &source, const ModelOptions &options) {
  InterruptScope scope;
  CompiledModel result;
  result.folder = newTemporaryFolder();
  result.path = result.folder / "model.so";
  compile(source, result.path, options, -1);
  return result;
}

} // namespace

CompiledModel::~CompiledModel() {
  std::error_code error;
  if (!folder.empty())
    fs::remove_all(folder, error);
}

namespace {
/// Where a source's compiled model stands in the cache: PATH.so, or PATH-FIRST-LAST.so for some contexts.
struct Entry {
  const ModelOptions &options;
  fs::path source, folder;
  std::vector<fs::path> files;
  fs::path base = path();

  fs::path path() const { return folder / entryName(files, source, folder / "hashes", options); }
  std::string with(const std::string &extension) const { return base.string() + extension; }
  bool find(CompiledModel &result) const;
  void make(CompiledModel &result, const FileDescriptor &lock) const;
};
} // namespace

bool Entry::find(CompiledModel &result) const {
  result.path = with(".so");
  result.inUse = useEntry(result.path);
  if (!options.ctx || (result.inUse && contextsOf(result.path).hold(options.ctx)))
    return bool(result.inUse);
  result.path = entryForContext(base, options.ctx);
  result.inUse = result.path.empty() ? FileDescriptor() : useEntry(result.path);
  return bool(result.inUse);
}

/// By whoever has locked it.
void Entry::make(CompiledModel &result, const FileDescriptor &lock) const {
  result.path = with(".so");
  fmt::print(stderr, "llmc: compiling {} to {}\n", options.model,
             options.ctx ? folder.string() : result.path);
  PartFolder part(with(".part"), with(".lock"));
  const fs::path file = part.path / "model.so";
  compile(source.string(), file, options, lock.get());
  if (base != path())
    throw Failure(fmt::format("{}: changed while it was compiled", options.model));
  // Locked before it is in its place, so that nobody takes it away before it was used.
  result.inUse = FileDescriptor(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!result.inUse || flock(result.inUse.get(), LOCK_SH) != 0)
    throw Failure(fmt::format("{}: cannot open: {}", file.string(), std::strerror(errno)));
  if (RopeContexts contexts = contextsOf(file); options.ctx && contexts.last)
    result.path = with(fmt::format("-{}-{}.so", contexts.first, contexts.last));
  std::error_code error;
  fs::rename(file, result.path, error);
  if (error)
    throw Failure(fmt::format("{}: cannot write: {}", result.path, error.message()));
}

CompiledModel compiledModel(const ModelOptions &options, LoadFor purpose) {
  CompiledModel result;
  FileKind kind = fileKind(options.model);
  if (kind == FileKind::Module) {
    result.path = options.model;
    return result;
  }
  const char *expected = "expected a model.so, a .gguf or .mlir file or a Hugging Face directory";
  if (kind == FileKind::Empty || kind == FileKind::Unknown)
    throw Failure(fmt::format("{}: {}, found {}", options.model, expected, describe(kind)));
  if (kind == FileKind::Directory && !fs::exists(fs::path(options.model) / "config.json"))
    throw Failure(fmt::format("{}: has no config.json, {}", options.model, expected));
  if (purpose != LoadFor::Plan)
    check(llmc_device_check(options.device.c_str()));
  if (options.noCache)
    return compiledAside(options.model, options);
  std::error_code error;
  const uint64_t bound = cacheBytes(); // a wrong one is told before there is anything to keep
  fs::path source = fs::absolute(options.model), folder = cacheFolder();
  if (source.filename().empty()) // "directory/"
    source = source.parent_path();
  fs::create_directories(folder / "hashes", error);
  if (error)
    throw Failure(fmt::format("{}: cannot make the cache folder: {}; use llmc compile and run its result",
                              folder.string(), error.message()));
  const Entry entry{options, source, folder, sourceFiles(source)};
  result.isCached = true;
  if (entry.find(result)) {
    if (options.verbose)
      fmt::print(stderr, "llmc: using {}\n", result.path);
    return result;
  }
  sweep(folder);
  InterruptScope scope;
  FileDescriptor lock = lockEntry(entry.with(".lock"), /*isPatient=*/true);
  if (entry.find(result)) { // somebody else has made it meanwhile
    fs::remove(entry.with(".lock"), error);
    return result;
  }
  entry.make(result, lock);
  evict(folder, bound);
  return result;
}

} // namespace llmc::cli
