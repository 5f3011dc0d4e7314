// The emulator as a device of the runtime: what a kernel leaves in scratch is nothing to the next one, and
// what is forgotten is no number.
#include "runtime/device/Devices.h"
#include "tests/simt/KernelLibrary.h"

#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::test;

namespace {

/// write: scratch[0] = 7. read: out[0] = scratch[0]. Their arguments are out and scratch.
const std::string kernels =
    "target triple = \"nvptx64-nvidia-cuda\"\n"
    "define ptx_kernel void @write(ptr addrspace(1) %step, ptr addrspace(1) %args) {\n"
    "  %place = getelementptr ptr addrspace(1), ptr addrspace(1) %args, i32 1\n"
    "  %scratch = load ptr addrspace(1), ptr addrspace(1) %place\n"
    "  store i32 7, ptr addrspace(1) %scratch\n  ret void\n}\n"
    "define ptx_kernel void @read(ptr addrspace(1) %step, ptr addrspace(1) %args) {\n"
    "  %place = getelementptr ptr addrspace(1), ptr addrspace(1) %args, i32 1\n"
    "  %scratch = load ptr addrspace(1), ptr addrspace(1) %place\n"
    "  %out = load ptr addrspace(1), ptr addrspace(1) %args\n"
    "  %x = load i32, ptr addrspace(1) %scratch\n"
    "  store i32 %x, ptr addrspace(1) %out\n  ret void\n}\n";

class ScratchOfDevice : public testing::Test {
protected:
  void SetUp() override {
    uint64_t hash = 0;
    const std::string path = buildKernels(kernels, /*isInstrumented=*/true, hash);
    ASSERT_NE(hash, 0u) << path;
    // Kernel 0 has two launches, as one with phases; 1 only reads; 2 reads, then writes.
    const llmc_device_kernel rows[] = {{0, 2, 0, 0, 0}, {2, 1, 0, 0, 0}, {3, 2, 0, 0, 0}};
    const char *entries[] = {"write", "read", "read", "read", "write"};
    llmc_device_launch launches[5] = {};
    for (int i = 0; i < 5; ++i)
      launches[i].entry = entries[i], launches[i].threads = 1;
    llmc_device_image images[3] = {};
    for (uint32_t i = 0; i < 3; ++i)
      images[i].kernel = i, images[i].kind = LLMC_IMAGE_BITCODE, images[i].hash = hash;
    llmc_device program = {};
    program.kernels = rows, program.launches = launches, program.images = images;
    program.n_images = 3, program.n_launches = 5;
    DeviceOptions options;
    options.code = path;
    ASSERT_EQ(openSimt(options, "", device), LLMC_OK) << lastError();
    ASSERT_EQ(device->load(program, "test", {}, code), LLMC_OK) << lastError();
    std::remove(path.c_str());
    ASSERT_EQ(out.allocate(*device, 4, "out"), LLMC_OK);
    ASSERT_EQ(scratch.allocate(*device, 4, "scratch"), LLMC_OK);
    ASSERT_EQ(args.allocate(*device, 16, "arguments"), LLMC_OK);
    const DeviceAddress values[] = {out.address(), scratch.address()};
    ASSERT_EQ(device->copyIn(args.address(), values, sizeof values), LLMC_OK);
    device->setScratch(scratch.address());
  }
  llmc_status launch(uint32_t number) {
    return device->launch(*code, number, {1, 1, 1}, args.address(), args.address());
  }
  uint32_t result() {
    uint32_t value = 0;
    EXPECT_EQ(device->copyOut(&value, out.address(), 4), LLMC_OK);
    return value;
  }

  std::unique_ptr<Device> device;
  std::unique_ptr<DeviceCode> code;
  DeviceMemory out, scratch, args;
};

constexpr uint32_t nothing = 0xffffffff;

TEST_F(ScratchOfDevice, lasts_as_long_as_a_kernel) {
  ASSERT_EQ(launch(0), LLMC_OK);
  ASSERT_EQ(launch(1), LLMC_OK); // the other launch of this kernel
  EXPECT_EQ(result(), 7u);
  ASSERT_EQ(launch(2), LLMC_OK);
  EXPECT_EQ(result(), nothing);
  for (int i = 0; i < 2; ++i) { // what it wrote the time before is gone, too
    ASSERT_EQ(launch(3), LLMC_OK);
    ASSERT_EQ(launch(4), LLMC_OK);
    EXPECT_EQ(result(), nothing);
  }
}

TEST_F(ScratchOfDevice, does_so_when_launches_are_repeated) {
  std::unique_ptr<DeviceGraph> graph;
  ASSERT_EQ(device->beginCapture(), LLMC_OK);
  for (uint32_t number : {0, 1, 2})
    ASSERT_EQ(launch(number), LLMC_OK);
  ASSERT_EQ(device->endCapture(graph), LLMC_OK);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(device->replay(*graph), LLMC_OK) << lastError();
    EXPECT_EQ(result(), nothing);
  }
}

TEST_F(ScratchOfDevice, what_is_forgotten_is_no_number) {
  ASSERT_EQ(launch(0), LLMC_OK);
  ASSERT_EQ(launch(1), LLMC_OK);
  device->forget(out.address(), out.size());
  EXPECT_EQ(result(), nothing);
}

TEST_F(ScratchOfDevice, constants_are_not_written) {
  device->setConstant(out.address(), {0});
  ASSERT_EQ(launch(0), LLMC_OK);
  ASSERT_EQ(launch(1), LLMC_EINTERNAL);
  EXPECT_NE(std::string(lastError()).find("writes 4 bytes of 'out', which kernels may only read"),
            std::string::npos)
      << lastError();
}

/// Host memory that is mapped is written like the device's own, and no byte beyond.
TEST_F(ScratchOfDevice, host_memory_is_written_where_it_is_mapped) {
  StagingMemory slot;
  ASSERT_EQ(slot.allocateMapped(*device, 4, "a slot"), LLMC_OK);
  auto writeTo = [&](DeviceAddress place) {
    EXPECT_EQ(device->copyIn(args.address() + 8, &place, sizeof place), LLMC_OK);
    return launch(0);
  };
  ASSERT_EQ(writeTo(slot.address()), LLMC_OK) << lastError();
  EXPECT_EQ(*reinterpret_cast<uint32_t *>(slot.data()), 7u);
  ASSERT_EQ(writeTo(slot.address() + 4), LLMC_EINTERNAL);
  EXPECT_NE(std::string(lastError()).find("writes 4 bytes at offset 4 of 'a slot', which has 4"),
            std::string::npos)
      << lastError();
  StagingMemory other; // which kernels do not know of
  ASSERT_EQ(other.allocate(*device, 4), LLMC_OK);
  EXPECT_EQ(writeTo(DeviceAddress(other.data())), LLMC_EINTERNAL);
  const DeviceAddress gone = slot.address();
  slot.reset();
  EXPECT_EQ(writeTo(gone), LLMC_EINTERNAL);
}

TEST_F(ScratchOfDevice, copies_to_the_host_are_repeated_with_launches) {
  StagingMemory rows;
  ASSERT_EQ(rows.allocate(*device, 4), LLMC_OK);
  std::unique_ptr<DeviceGraph> graph;
  ASSERT_EQ(device->beginCapture(), LLMC_OK);
  for (uint32_t number : {0, 1})
    ASSERT_EQ(launch(number), LLMC_OK);
  ASSERT_EQ(device->copyOut(rows.data(), out.address(), 4), LLMC_OK);
  ASSERT_EQ(device->endCapture(graph), LLMC_OK);
  for (int i = 0; i < 2; ++i) {
    *reinterpret_cast<uint32_t *>(rows.data()) = 0;
    ASSERT_EQ(device->replay(*graph), LLMC_OK) << lastError();
    EXPECT_EQ(*reinterpret_cast<uint32_t *>(rows.data()), 7u);
  }
}

} // namespace
