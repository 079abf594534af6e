// timed: runs a command and writes what it cost: seconds, CPU seconds of it and its children, and the KiB of its largest
// process. Python could do that, but a process that it starts counts Python's own memory as its peak.
//
//   cc -O2 -o timed timed.c; ./timed FIGURES COMMAND [ARGUMENT...]
//
// Ends as the command does; 127 where it cannot be started.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: timed FIGURES COMMAND [ARGUMENT...]\n");
    return 2;
  }
  double since = now();
  pid_t child = fork();
  if (child == 0) {
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    _exit(127);
  }
  int status;
  struct rusage used;
  if (child < 0 || wait4(child, &status, 0, &used) < 0) {
    perror("timed");
    return 1;
  }
  double wall = now() - since;
  FILE *figures = fopen(argv[1], "w");
  if (!figures) {
    perror(argv[1]);
    return 1;
  }
  fprintf(figures, "%.6f %.6f %ld\n", wall, seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss);
  fclose(figures);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
