// A libcuda.so.1 in which functions are missing that the runtime calls.
extern "C" __attribute__((visibility("default"))) int cuInit(unsigned) { return 0; }
