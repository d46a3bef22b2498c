/* spawn N WINDOW MODE PROGRAM ARGUMENTS...: start it N times, WINDOW at a time; print starts/s.
 * MODE is spawn (posix_spawn) or vfork. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int count, char **words) {
  if (count < 5) return 2;
  int number = atoi(words[1]), window = atoi(words[2]), live = 0, status;
  double began = now();
  for (int i = 0; i < number; i++) {
    if (live == window) { wait(&status); live--; }
    pid_t pid = 0;
    if (words[3][0] == 's') {
      if (posix_spawn(&pid, words[4], 0, 0, words + 4, environ)) return 3;
    } else if ((pid = vfork()) == 0) {
      execv(words[4], words + 4);
      _exit(127);
    } else if (pid < 0) return 3;
    live++;
  }
  while (live--) wait(&status);
  printf("%.1f\n", number / (now() - began));
}
