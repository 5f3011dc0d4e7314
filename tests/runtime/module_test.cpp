// Loading: every way a file can be wrong gets its own sentence, and nothing is executed before the checks.
#include "FakeModel.h"

#include "runtime/CpuFeatures.h"
#include "runtime/Module.h"
#include "runtime/ModuleFile.h"

#include <cstring>

using namespace fake;

static llmc_status tryLoad(const Bytes &bytes) {
  TempFile file(bytes);
  llmc_model *model = nullptr;
  llmc_status status = llmc_model_load(file.path(), nullptr, &model);
  EXPECT_EQ(status == LLMC_OK, model != nullptr);
  llmc_model_release(model);
  return status;
}

TEST(Module, loads_and_tells_about_itself) {
  Model model = load();
  ASSERT_TRUE(model);
  const std::pair<llmc_info, int64_t> infos[] = {{LLMC_INFO_VOCAB, 64},
                                                 {LLMC_INFO_CTX_TRAIN, 128},
                                                 {LLMC_INFO_LAYERS, 24},
                                                 {LLMC_INFO_HIDDEN, 8},
                                                 {LLMC_INFO_HEADS, 2},
                                                 {LLMC_INFO_KV_HEADS, 1},
                                                 {LLMC_INFO_PARAMS, 1234},
                                                 {LLMC_INFO_WEIGHT_BYTES, 24 * 8},
                                                 {LLMC_INFO_KV_BYTES_PER_TOKEN, 16},
                                                 {LLMC_INFO_HAS_ENCODER, 0},
                                                 {LLMC_INFO_HAS_DECODER, 1},
                                                 {LLMC_INFO_CAN_SHIFT, 0},
                                                 {LLMC_INFO_THREADS, 1}};
  for (auto [info, expected] : infos) {
    int64_t value = -1;
    EXPECT_OK(llmc_model_info(model.get(), info, &value));
    EXPECT_EQ(value, expected) << info;
  }
  int64_t value = 5;
  EXPECT_FAILS(llmc_model_info(model.get(), 99, &value), LLMC_EARG, "99");
  EXPECT_EQ(value, 5);
}

TEST(Module, builds_are_told_apart_by_their_hash) {
  fake::Bytes bytes = ModelFile().finish();
  TempFile file(bytes);
  int64_t value = 0, other = 0;
  EXPECT_OK(llmc_model_info(load(file.path(), 1).get(), LLMC_INFO_HASH, &value));
  EXPECT_EQ(uint64_t(value), footerOf(bytes).head_hash);
  EXPECT_OK(llmc_model_info(load(1, "fake_model_types").get(), LLMC_INFO_HASH, &other));
  EXPECT_NE(value, other);
}

TEST(Module, counts_its_threads) {
  int64_t value = 0;
  EXPECT_OK(llmc_model_info(load(3).get(), LLMC_INFO_THREADS, &value));
  EXPECT_EQ(value, 3);
  EXPECT_OK(llmc_model_info(load(0u).get(), LLMC_INFO_THREADS, &value));
  EXPECT_EQ(value, llmc::availableCores());
}

// A model compiled with two storage types of its cache: a session has one of them.
TEST(Module, costs_and_sizes_are_those_of_one_storage_type) {
  Model model = load(1, "fake_model_types"), plain = load();
  int64_t value = 0;
  EXPECT_OK(llmc_model_info(model.get(), LLMC_INFO_KV_BYTES_PER_TOKEN, &value));
  EXPECT_EQ(value, 16); // of the first type, as of the model that has no other
  auto cost = [](const Model &of, uint64_t nHidden, llmc_kv_type type) {
    llmc_step_cost cost = {};
    cost.struct_size = sizeof(cost);
    cost.n_tokens = cost.n_keys = 5;
    cost.n_rows = 3;
    cost.n_token_keys = 15;
    cost.n_hidden = nHidden;
    cost.type_kv = type;
    EXPECT_OK(llmc_model_step_cost(of.get(), &cost));
    return std::pair(cost.bytes, cost.operations);
  };
  const auto base = cost(plain, 0, LLMC_KV_AUTO);
  const auto with = [&](uint64_t bytes, uint64_t operations) {
    return std::pair(base.first + bytes, base.second + operations);
  };
  EXPECT_EQ(cost(model, 0, LLMC_KV_AUTO), with(5 * 1000, 15 * 100));
  EXPECT_EQ(cost(model, 0, LLMC_KV_F16), with(5 * 1000, 15 * 100));
  EXPECT_EQ(cost(model, 0, LLMC_KV_Q8), with(5 * 3000, 15 * 300));
  // One hidden row makes the work of all rows that are asked for.
  EXPECT_EQ(cost(model, 1, LLMC_KV_AUTO), with(5 * 1000 + 50000 + 3 * 20000, 15 * 100 + 3 * 7000));
  llmc_step_cost wrong = {};
  wrong.struct_size = sizeof(wrong);
  wrong.n_tokens = wrong.n_rows = 1, wrong.n_hidden = 2;
  EXPECT_FAILS(llmc_model_step_cost(model.get(), &wrong), LLMC_EARG, "2 hidden rows");
  wrong.n_hidden = 0, wrong.type_kv = LLMC_KV_F32;
  EXPECT_FAILS(llmc_model_step_cost(model.get(), &wrong), LLMC_EUNSUPPORTED, "f32");
  // A caller that knows only the first fields gets what it got.
  llmc_step_cost old = {};
  old.struct_size = offsetof(llmc_step_cost, n_hidden);
  old.n_tokens = old.n_keys = 5, old.n_rows = 3, old.n_token_keys = 15;
  EXPECT_OK(llmc_model_step_cost(model.get(), &old));
  EXPECT_EQ(std::pair(old.bytes, old.operations), with(5 * 1000, 15 * 100));
}

// The code that runs is that of the file that was checked, whatever the system remembers of a path or
// descriptor.
TEST(Module, another_file_in_the_same_place_is_another_model) {
  TempFile place(ModelFile().finish());
  auto replace = [&](const char *kind) {
    TempFile next(ModelFile(kind).finish());
    ASSERT_EQ(rename(next.path(), place.path()), 0);
  };
  auto hasHidden = [](const Model &model) { return model->tables().hidden_buffer != LLMC_NONE; };
  Model first = load(place.path());
  replace("fake_model_hidden");
  Model second = load(place.path()), again = load(place.path());
  EXPECT_FALSE(hasHidden(first));
  EXPECT_TRUE(hasHidden(second));
  EXPECT_EQ(&second->tables(), &again->tables()); // one file, loaded once
  again.reset();
  replace("fake_model_keys");
  Model third = load(place.path());
  EXPECT_FALSE(hasHidden(third));
  EXPECT_TRUE(third->tables().uses_keys);
  EXPECT_FALSE(first->tables().uses_keys);
  EXPECT_EQ(fresh(first.get(), {1, 2, 3}), fresh(load().get(), {1, 2, 3}));
}

TEST(Module, flattens_the_manifest) {
  Model model = load();
  EXPECT_STREQ(llmc_model_meta(model.get(), "source.name"), "toy");
  EXPECT_STREQ(llmc_model_meta(model.get(), "source.layers"), "24");
  EXPECT_STREQ(llmc_model_meta(model.get(), "passes"),
               R"([{"name":"a","options":"n=1"},{"name":"b","options":""}])");
  EXPECT_STREQ(llmc_model_meta(model.get(), "fast"), "true");
  EXPECT_STREQ(llmc_model_meta(model.get(), "note"), "null");
  EXPECT_EQ(llmc_model_meta(model.get(), "source"), nullptr);
  ASSERT_EQ(llmc_model_meta_count(model.get()), 5u);
  const char *key = nullptr, *val = nullptr;
  EXPECT_OK(llmc_model_meta_at(model.get(), 0, &key, &val));
  EXPECT_STREQ(key, "source.name");
  EXPECT_FAILS(llmc_model_meta_at(model.get(), 5, &key, &val), LLMC_ENOTFOUND, "5");
}

TEST(Module, missing_file_and_folder) {
  llmc_model *model = nullptr;
  EXPECT_FAILS(llmc_model_load("no/such/model.so", nullptr, &model), LLMC_ENOTFOUND, "no/such/model.so");
  EXPECT_FAILS(llmc_model_load("/", nullptr, &model), LLMC_EIO, "/");
  EXPECT_FAILS(tryLoad({}), LLMC_EFORMAT, "0 bytes");
  EXPECT_FAILS(tryLoad(Bytes(5000, 'x')), LLMC_EFORMAT, "no footer");
  EXPECT_EQ(model, nullptr);
}

TEST(Module, truncated_anywhere) {
  llmc_footer footer;
  Bytes file = ModelFile().finish(&footer);
  const uint64_t sizes[] = {1,
                            sizeof(footer) - 1,
                            footer.elf_size / 2,
                            footer.elf_size,
                            footer.manifest_offset + 5,
                            footer.weights_offset,
                            footer.weights_offset + 9,
                            file.size() - sizeof(footer),
                            file.size() - sizeof(footer) + 8,
                            file.size() - 1};
  for (uint64_t size : sizes)
    EXPECT_FAILS(tryLoad(Bytes(file.begin(), file.begin() + size)), LLMC_EFORMAT, "") << size;
  Bytes stripped(file.begin(), file.begin() + footer.elf_size);
  EXPECT_FAILS(tryLoad(stripped), LLMC_EFORMAT, "stripped");
}

TEST(Module, truncated_in_the_middle_keeps_a_footer) {
  Bytes file = ModelFile().finish();
  file.erase(file.begin() + 100, file.begin() + 200);
  EXPECT_FAILS(tryLoad(file), LLMC_EFORMAT, "the footer says");
}

TEST(Module, altered_bytes) {
  llmc_footer footer;
  const Bytes file = ModelFile().finish(&footer);
  for (uint64_t at : {uint64_t(4), footer.elf_size - 1, footer.manifest_offset, footer.weights_offset - 1}) {
    Bytes altered = file;
    altered[at] ^= 1;
    EXPECT_FAILS(tryLoad(altered), LLMC_EFORMAT, "damaged") << at;
  }
  // Each byte of the footer from footer_size on; magic and ABI have sentences of their own.
  for (size_t at = 16; at < sizeof(footer); ++at) {
    Bytes altered = file;
    altered[file.size() - sizeof(footer) + at] ^= 1;
    EXPECT_FAILS(tryLoad(altered), LLMC_EFORMAT, "footer") << at;
  }
}

TEST(Module, weights_are_checked_on_request) {
  llmc_footer footer;
  Bytes file = ModelFile().finish(&footer);
  file[footer.weights_offset + 3] ^= 1;
  TempFile temp(file);
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof(params));
  llmc_model *model = nullptr;
  EXPECT_OK(llmc_model_load(temp.path(), &params, &model));
  llmc_model_release(model);
  model = nullptr;
  params.flags = LLMC_LOAD_VERIFY_WEIGHTS;
  EXPECT_FAILS(llmc_model_load(temp.path(), &params, &model), LLMC_EFORMAT, "weights are damaged");
  EXPECT_EQ(model, nullptr);
}

TEST(Module, other_abi) {
  Bytes file = ModelFile().finish();
  llmc_footer footer = footerOf(file);
  footer.abi = LLMC_MODULE_ABI + 1;
  setFooter(file, footer); // even with another layout and hash
  EXPECT_FAILS(tryLoad(file), LLMC_EABI, "newer version of llmc");
  footer.abi = 0;
  setFooter(file, footer);
  EXPECT_FAILS(tryLoad(file), LLMC_EABI, "older version of llmc");
  EXPECT_FAILS(tryLoad(ModelFile("fake_model_abi").finish()), LLMC_EABI, "ABI");
}

TEST(Module, footer_ranges) {
  const Bytes file = ModelFile().finish();
  auto with = [&](auto edit, bool head = false) {
    Bytes altered = file;
    llmc_footer footer = footerOf(altered);
    edit(footer);
    setFooter(altered, footer);
    repairHashes(altered, head);
    return altered;
  };
  EXPECT_FAILS(tryLoad(with([](auto &f) { f.elf_size = UINT64_MAX; })), LLMC_EFORMAT, "elf part");
  EXPECT_FAILS(tryLoad(with([](auto &f) { f.manifest_offset = UINT64_MAX - 3; })), LLMC_EFORMAT, "manifest");
  EXPECT_FAILS(tryLoad(with([](auto &f) { f.manifest_offset = 8; })), LLMC_EFORMAT,
               "before the end of the elf");
  EXPECT_FAILS(tryLoad(with([](auto &f) { f.tokenizer_size = f.file_size; })), LLMC_EFORMAT, "tokenizer");
  EXPECT_FAILS(tryLoad(with([](auto &f) { f.weights_size += 1; })), LLMC_EFORMAT, "weights");
  EXPECT_FAILS(tryLoad(with([](auto &f) { f.weights_offset += 8, f.weights_size -= 8; })), LLMC_EFORMAT,
               "no multiple of 4096");
  EXPECT_FAILS(tryLoad(with([](auto &f) { f.elf_size = 0; })), LLMC_EFORMAT, "ELF");
  // Fewer weights than the code says it reads.
  EXPECT_FAILS(tryLoad(with([](auto &f) { f.weights_size -= 8; })), LLMC_EFORMAT, "weight_bytes");
}

TEST(Module, manifests) {
  auto with = [](std::string manifest) {
    ModelFile file;
    file.manifest = std::move(manifest);
    return file.finish();
  };
  EXPECT_FAILS(tryLoad(with("")), LLMC_EFORMAT, "manifest");
  EXPECT_FAILS(tryLoad(with("{\"a\":")), LLMC_EFORMAT, "not JSON");
  EXPECT_FAILS(tryLoad(with("[1]")), LLMC_EFORMAT, "array");
  EXPECT_FAILS(tryLoad(with("{\"a\":\"\xff\"}")), LLMC_EFORMAT, "not JSON");
  EXPECT_FAILS(tryLoad(with("7")), LLMC_EFORMAT, "single value");
  EXPECT_FAILS(tryLoad(with("{\"a\":" + std::string(100000, '['))), LLMC_EFORMAT, "nested");
  EXPECT_FAILS(tryLoad(with("{\"a.b\":1,\"a\":{\"b\":2}}")), LLMC_EFORMAT, "a key occurs twice");
  EXPECT_OK(tryLoad(with("{}")));
}

// Few bytes of a manifest may not take much time or memory.
TEST(Module, manifests_of_too_much) {
  auto with = [](std::string manifest) {
    ModelFile file;
    file.manifest = std::move(manifest);
    return file.finish();
  };
  auto members = [](int n) {
    std::string text;
    for (int i = 0; i < n; ++i)
      text += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
    return "{" + text + "}";
  };
  // Each leaf has the names of all that it stands in.
  EXPECT_OK(tryLoad(with("{\"" + std::string(254, 'k') + "\":{\"0\":0}}")));
  EXPECT_FAILS(tryLoad(with("{\"" + std::string(255, 'k') + "\":{\"0\":0}}")), LLMC_EFORMAT,
               "manifest: a key of more than 256 bytes");
  // A tree looks members up one after the other, those of lists too.
  EXPECT_OK(tryLoad(with("{\"a\":[" + members(1024) + "]}")));
  EXPECT_FAILS(tryLoad(with("{\"a\":[" + members(1025) + "]}")), LLMC_EFORMAT,
               "manifest: an object of more than 1024 members");
  std::string values = "{\"a\":[0";
  for (int i = 3; i < 1 << 20; ++i)
    values += ",0";
  EXPECT_OK(tryLoad(with(values + "]}")));
  EXPECT_FAILS(tryLoad(with(values + ",0]}")), LLMC_EFORMAT, "manifest: more than 1048576 values");
}

TEST(Module, code_that_does_not_fit) {
  EXPECT_FAILS(tryLoad(ModelFile("fake_model_no_symbol").finish()), LLMC_EFORMAT, "llmc_module");
  EXPECT_FAILS(tryLoad(ModelFile("fake_model_bad_arg").finish()), LLMC_EFORMAT, "argument 0: 'value' is 77");
  EXPECT_FAILS(tryLoad(ModelFile("fake_model_bad_values").finish()), LLMC_EFORMAT,
               "dispatch 25: 'values' is 1");
  EXPECT_FAILS(tryLoad(ModelFile("fake_model_future").finish()), LLMC_EABI, "feature 63");
  ModelFile noElf;
  noElf.elf = Bytes(4096, 0);
  EXPECT_FAILS(tryLoad(noElf.finish()), LLMC_EFORMAT, "ELF");
  ModelFile cut;
  cut.elf.resize(200); // right hashes, but no shared object
  EXPECT_FAILS(tryLoad(cut.finish()), LLMC_EFORMAT, "cannot load its code");
}

// A session finds its rows by the numbers of tokens.
TEST(Module, hidden_rows_are_of_tokens) {
  Model model = load(1, "fake_model_hidden");
  ASSERT_TRUE(model);
  llmc_module module = model->tables();
  std::vector<llmc_buffer> buffers(module.buffers, module.buffers + module.n_buffers);
  module.buffers = buffers.data();
  module.uses_keys = 1; // such rows may occur at all
  for (auto [rows, isRight] : {std::pair(LLMC_ROWS_TOKENS, true),
                               {LLMC_ROWS_ASKED, true},
                               {LLMC_ROWS_HIDDEN, true},
                               {LLMC_ROWS_KEYS, false}}) {
    buffers[module.hidden_buffer].rows = rows;
    EXPECT_TRUE(isStatus(llmc::checkModuleTables(module, module.weight_bytes, "m"),
                         isRight ? LLMC_OK : LLMC_EFORMAT, isRight ? "" : "buffer 3: 'rows' is 2"));
  }
}

TEST(Module, damaged_tokenizer) {
  ModelFile file;
  file.tokenizer = Bytes(64, 0x5a);
  EXPECT_FAILS(tryLoad(file.finish()), LLMC_EFORMAT, "tokenizer");
}

TEST(Module, variants_by_name) {
  TempFile file(ModelFile().finish());
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof(params));
  llmc_model *model = nullptr;
  params.cpu_variant = "plain";
  EXPECT_OK(llmc_model_load(file.path(), &params, &model));
  EXPECT_STREQ(model->variantName(), "plain");
  llmc_model_release(model);
  params.cpu_variant = "future";
  EXPECT_FAILS(llmc_model_load(file.path(), &params, &model), LLMC_EABI, "feature 63");
  params.cpu_variant = "sse9";
  EXPECT_FAILS(llmc_model_load(file.path(), &params, &model), LLMC_EARG, "future, base, plain");
}

TEST(Module, chooses_the_best_variant_that_runs) {
  const llmc_kernel_entry entry = {};
  const llmc_variant variants[] = {{"big", LLMC_CPU_AVX512 | LLMC_CPU_AVX512VNNI, &entry},
                                   {"small", LLMC_CPU_AVX2, &entry}};
  llmc_module module = {};
  module.variants = variants;
  module.n_variants = 2;
  const llmc_variant *chosen = nullptr;
  EXPECT_OK(llmc::chooseVariant(module, nullptr, LLMC_CPU_AVX2 | LLMC_CPU_AVX512 | LLMC_CPU_AVX512VNNI, "m",
                                chosen));
  EXPECT_STREQ(chosen->name, "big");
  EXPECT_OK(llmc::chooseVariant(module, nullptr, LLMC_CPU_AVX2 | LLMC_CPU_AVX512, "m", chosen));
  EXPECT_STREQ(chosen->name, "small");
  EXPECT_FAILS(llmc::chooseVariant(module, nullptr, 0, "m", chosen), LLMC_EABI, "lacks avx2");
  EXPECT_FAILS(llmc::chooseVariant(module, "big", LLMC_CPU_AVX2 | LLMC_CPU_AVX512, "m", chosen), LLMC_EABI,
               "lacks avx512-vnni");
}

TEST(Module, load_flags_and_params) {
  TempFile file(ModelFile().finish());
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof(params));
  llmc_model *model = nullptr;
  params.flags = LLMC_LOAD_COPY_WEIGHTS | LLMC_LOAD_VERIFY_WEIGHTS | LLMC_LOAD_MLOCK;
  ASSERT_OK(llmc_model_load(file.path(), &params, &model));
  std::vector<float> copied = fresh(model, {1, 2, 3});
  llmc_model_release(model);
  EXPECT_EQ(copied, fresh(load(file.path()).get(), {1, 2, 3}));
  params.flags = 64;
  EXPECT_FAILS(llmc_model_load(file.path(), &params, &model), LLMC_EARG, "flags");
  params.flags = LLMC_LOAD_VERIFY_WEIGHTS;
  params.progress = [](const char *, uint64_t, uint64_t, void *) { return false; };
  EXPECT_FAILS(llmc_model_load(file.path(), &params, &model), LLMC_ECANCELLED, "");
  params.progress = nullptr;
  params.device = "cuda:0";
  EXPECT_FAILS(llmc_model_load(file.path(), &params, &model), LLMC_EUNSUPPORTED,
               "it has no code for cuda: compile it with --target cuda");
  params.device = "simt";
  EXPECT_FAILS(llmc_model_load(file.path(), &params, &model), LLMC_EUNSUPPORTED,
               "it has no code for simt: compile it with --target cuda");
  params.device = "cpu:1";
  EXPECT_FAILS(llmc_model_load(file.path(), &params, &model), LLMC_EARG,
               "device is 'cpu:1', expected nothing behind 'cpu'");
  params.device = "abacus";
  EXPECT_FAILS(llmc_model_load(file.path(), &params, &model), LLMC_EARG, "abacus");
  params.device = "cpu";
  params.struct_size = 3;
  EXPECT_FAILS(llmc_model_load(file.path(), &params, &model), LLMC_EARG, "struct_size");
}

/// Neither a CPU that is not here nor weights matter to who only plans.
TEST(Module, a_plan_without_a_session) {
  TempFile file(ModelFile().finish());
  llmc_memory_plan plan = {}, loaded = {};
  plan.struct_size = loaded.struct_size = sizeof plan;
  ASSERT_OK(llmc_plan(load(file.path()).get(), nullptr, &loaded));
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof(params));
  params.flags = LLMC_LOAD_PLAN_ONLY;
  params.n_threads = 1;
  params.cpu_variant = "of another machine";
  params.progress = [](const char *stage, uint64_t, uint64_t, void *) {
    EXPECT_STREQ(stage, "load");
    return true;
  };
  llmc_model *model = nullptr;
  ASSERT_OK(llmc_model_load(file.path(), &params, &model));
  ASSERT_OK(llmc_plan(model, nullptr, &plan));
  EXPECT_EQ(memcmp(&plan, &loaded, sizeof plan), 0);
  EXPECT_STREQ(llmc_model_cpu_variant(model), "cpu");
  llmc_session *session = nullptr;
  EXPECT_FAILS(llmc_session_new(model, nullptr, &session), LLMC_ESTATE, "LLMC_LOAD_PLAN_ONLY");
  llmc_model_release(model);
  params.flags |= LLMC_LOAD_COPY_WEIGHTS; // a copy is whole pages
  ASSERT_OK(llmc_model_load(file.path(), &params, &model));
  ASSERT_OK(llmc_plan(model, nullptr, &plan));
  EXPECT_EQ(plan.weights, (loaded.weights + 4095) / 4096 * 4096);
  EXPECT_EQ(plan.workspace, loaded.workspace);
  llmc_session_params limits;
  llmc_session_params_init(&limits, sizeof limits);
  limits.n_ctx = 1u << 30, limits.n_seq_max = 1u << 16;
  EXPECT_FAILS(llmc_plan(model, &limits, &plan), LLMC_ENOMEM, "needs too many pages");
  llmc_model_release(model);
}

TEST(Module, structs_of_other_versions) {
  TempFile file(ModelFile().finish());
  struct {
    llmc_model_params known;
    uint64_t later;
  } newer = {};
  llmc_model_params_init(&newer.known, sizeof(newer));
  llmc_model *model = nullptr;
  ASSERT_OK(llmc_model_load(file.path(), &newer.known, &model));
  llmc_model_release(model);
  newer.later = 1;
  EXPECT_FAILS(llmc_model_load(file.path(), &newer.known, &model), LLMC_EARG, "beyond");
  llmc_model_params older;
  memset(&older, 0xff, sizeof(older));
  llmc_model_params_init(&older, offsetof(llmc_model_params, cpu_variant));
  ASSERT_OK(llmc_model_load(file.path(), &older, &model));
  llmc_model_release(model);
}

TEST(Module, reader_alone_executes_nothing) {
  Bytes file = ModelFile("fake_model_future").finish();
  llmc::ModuleContents contents;
  EXPECT_OK(llmc::readModule(file, "m", contents));
  EXPECT_EQ(contents.footer.weights_size, 24u * 8);
  EXPECT_EQ(contents.meta.size(), 5u);
}
