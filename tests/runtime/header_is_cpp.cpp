/* The headers as C++17. */
#include "header_is_c.c"
