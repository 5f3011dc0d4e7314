// What tests tell the stub of libcuda.so.1, and ask it.
#pragma once

#include <cstdint>

extern "C" {
/// From now on the n-th call fails, once; 0: none.
void llmc_stub_fail_at(uint64_t call);
/// The function that failed so; null: none did.
const char *llmc_stub_failed_call();
/// Calls since then, which function the n-th of them was (null: there were fewer), and bytes that they copied
/// to the device.
uint64_t llmc_stub_calls();
const char *llmc_stub_call(uint64_t n);
uint64_t llmc_stub_bytes_in();
/// How often somebody has waited for an event while there was more to do behind it.
uint64_t llmc_stub_waits_ahead();
/// Most bytes that were in use at a time since then, of the device and pinned.
uint64_t llmc_stub_most_device();
uint64_t llmc_stub_most_pinned();
/// `told` is called whenever somebody begins to wait for an event, and may take its time; null: it is not.
void llmc_stub_when_waiting(void (*told)());
/// Bytes of the device's memory that are taken.
uint64_t llmc_stub_in_use();
/// Fills each of the device's allocations of so many bytes with ones, and says how many those are.
uint64_t llmc_stub_spoil(uint64_t bytes);
/// The device has so much memory; 0: as much as there is.
void llmc_stub_limit(uint64_t bytes);
/// From now on the device is of this architecture: 80 for sm_80. It is 90 unless told.
void llmc_stub_arch(uint32_t arch);
/// Images that were tried since llmc_stub_fail_at, in order and by commas: "cubin sm_90a, PTX sm_80".
const char *llmc_stub_images();
/// Of such images those with these words in their names are refused; empty: none.
void llmc_stub_refuse(const char *words);
/// Whether the code that it runs tells of each access, so that the emulator can check it.
bool llmc_stub_is_checked();
/// What the emulator said of the last kernel.
const char *llmc_stub_last_error();
/// Allocations, contexts, streams, events, modules and graphs that are still there.
uint64_t llmc_stub_left();
/// Gives that back, except contexts, as a driver does when the last user of a context goes.
void llmc_stub_give_back();
}
