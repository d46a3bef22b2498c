/* spawn N WINDOW MODE PROGRAM ARGUMENTS...: start it N times, WINDOW at a time; print starts/s.
 * MODE is spawn (posix_spawn) or vfork; or lines: each time PROGRAM -c LINE, by vfork, with the next
 * line of standard input; then when the first was started is printed, in seconds since the epoch. */
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

static int lines(int number, int window, char *shell) {
  char **texts = calloc(number, sizeof *texts);
  size_t room = 0;
  for (int i = 0; i < number; i++) if (getline(texts + i, (room = 0, &room), stdin) < 0) return 4;
  struct timespec began;
  clock_gettime(CLOCK_REALTIME, &began);
  int live = 0, status;
  for (int i = 0; i < number; i++) {
    if (live == window) { wait(&status); live--; }
    char *argv[] = {shell, "-c", texts[i], 0};
    pid_t pid = vfork();
    if (pid == 0) { execv(shell, argv); _exit(127); }
    if (pid < 0) return 3;
    live++;
  }
  while (live--) wait(&status);
  printf("%.6f\n", began.tv_sec + began.tv_nsec / 1e9);
  return 0;
}

int main(int count, char **words) {
  if (count < 5) return 2;
  int number = atoi(words[1]), window = atoi(words[2]), live = 0, status;
  if (words[3][0] == 'l') return lines(number, window, words[4]);
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
