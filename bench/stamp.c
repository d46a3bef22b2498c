/* stamp FILE ID: append "ID <nanoseconds since 1970>" to FILE with one write.
 * Its first act is to read the clock, so the stamp is the command's own start. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **words) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (count < 3) return 2;
  char line[160];
  int size = snprintf(line, sizeof line, "%s %lld%09ld\n", words[2], (long long)now.tv_sec, now.tv_nsec);
  int file = open(words[1], O_WRONLY | O_APPEND | O_CREAT, 0644);
  if (file < 0) return 3;
  return write(file, line, size) == size ? 0 : 4;
}
