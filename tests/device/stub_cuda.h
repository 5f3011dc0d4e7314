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
/// The device has so much memory; 0: as much as there is.
void llmc_stub_limit(uint64_t bytes);
/// PTX with these words in it is refused; empty: none.
void llmc_stub_refuse(const char *words);
/// What the emulator said of the last kernel.
const char *llmc_stub_last_error();
/// Allocations, contexts, streams, events, modules and graphs that are still there.
uint64_t llmc_stub_left();
}
