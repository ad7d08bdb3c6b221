// Times in nanoseconds: the clock, a list of them that grows, its quantiles. Of both C programs.
#include <stdlib.h>
#include <time.h>

typedef unsigned long long nanoseconds;

struct samples {
    nanoseconds *values;
    size_t count, room;
};

static nanoseconds now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000ull + at.tv_nsec;
}

static void record(struct samples *to, nanoseconds value) {
    if (to->count == to->room) {
        to->room = to->room ? 2 * to->room : 1 << 16;
        to->values = realloc(to->values, to->room * sizeof value);
        if (!to->values) abort();
    }
    to->values[to->count++] = value;
}

static int ascending(const void *left, const void *right) {
    nanoseconds a = *(const nanoseconds *)left, b = *(const nanoseconds *)right;
    return (a > b) - (a < b);
}

// The value that this share of all is not above, in milliseconds; 0 of none.
static double quantile_ms(struct samples *of, double share) {
    if (!of->count) return 0;
    qsort(of->values, of->count, sizeof *of->values, ascending);
    return of->values[(size_t)((of->count - 1) * share)] / 1e6;
}
