/* measure [--seconds S] [--rss MIB] COMMAND...: runs a command, prints its wall time, CPU time and peak
 * resident memory, and fails when the command does or when it took more of either than allowed. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

int main(int argc, char **argv) {
  double max_seconds = 0, max_mebibytes = 0;
  int first = 1;
  for (; first + 1 < argc && strncmp(argv[first], "--", 2) == 0; first += 2) {
    double value = atof(argv[first + 1]);
    if (strcmp(argv[first], "--seconds") == 0 && value > 0)
      max_seconds = value;
    else if (strcmp(argv[first], "--rss") == 0 && value > 0)
      max_mebibytes = value;
    else
      first = argc;
  }
  if (first >= argc) {
    fprintf(stderr, "usage: measure [--seconds S] [--rss MIB] COMMAND...\n");
    return 2;
  }
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  pid_t child = fork();
  if (child == 0) {
    execvp(argv[first], argv + first);
    perror(argv[first]);
    _exit(127);
  }
  int status = 0;
  struct rusage used;
  if (child < 0 || wait4(child, &status, 0, &used) < 0) {
    perror("measure");
    return 1;
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  double wall = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
  double mebibytes = (double)used.ru_maxrss / 1024;
  printf("%.2f s, %.2f s of CPU, %.0f MiB at most\n", wall,
         seconds_of(used.ru_utime) + seconds_of(used.ru_stime), mebibytes);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "%s: failed\n", argv[first]);
    return 1;
  }
  if (max_seconds > 0 && !(wall <= max_seconds)) {
    fprintf(stderr, "%.2f s, at most %.2f s are allowed\n", wall, max_seconds);
    return 1;
  }
  if (max_mebibytes > 0 && !(mebibytes <= max_mebibytes)) {
    fprintf(stderr, "%.0f MiB, at most %.0f MiB are allowed\n", mebibytes, max_mebibytes);
    return 1;
  }
  return 0;
}
