/* Preloaded: the time of day runs ahead by as many seconds as the file $CLOCK_AHEAD says, a signed
   integer of 64 bits. The monotonic clock stays; libfaketime 0.9.10 breaks time.sleep() then. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead;

__attribute__((constructor)) static void open_clock(void) {
    const char *path = getenv("CLOCK_AHEAD");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *seconds = mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (seconds != MAP_FAILED) ahead = seconds;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && ahead && clock == CLOCK_REALTIME) now->tv_sec += *ahead;
    return failed;
}
