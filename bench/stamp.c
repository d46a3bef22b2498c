/* stamp FILE ID [SECONDS]: append "ID <nanoseconds since 1970>" to FILE with one write; then sleep.
 * Its first act is to read the clock, so the stamp is the command's own start. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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
  if (write(file, line, size) != size) return 4;
  if (count > 3) usleep((useconds_t)(atof(words[3]) * 1e6));
  return 0;
}
