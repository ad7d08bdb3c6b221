// What the reference knows of its own times: each lies between two readings of a clock, because
// the server too can be kept from its CPU between a reading and the write or read beside it.
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

struct span {
    nanoseconds low, high;
};

static struct truth {
    struct samples low, high;
} true_ttft, true_gaps;

static void record_between(struct truth *to, struct span from, struct span until) {
    record(&to->low, until.low > from.high ? until.low - from.high : 0);
    record(&to->high, until.high - from.low);
}

// Receives like recv, and says when the kernel had the bytes; they cannot have come before `since`.
static ssize_t receive(int fd, char *to, size_t room, nanoseconds since, struct span *came) {
    char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec place = {to, room};
    struct msghdr message = {.msg_iov = &place, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof control};
    ssize_t got = recvmsg(fd, &message, 0);
    nanoseconds before = now();
    struct timespec stamp, realtime;
    clock_gettime(CLOCK_REALTIME, &realtime);
    nanoseconds after = now();
    if (got <= 0) return got;
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    came->low = since;
    came->high = after;
    if (!first || first->cmsg_type != SCM_TIMESTAMPNS) return got;
    memcpy(&stamp, CMSG_DATA(first), sizeof stamp);
    nanoseconds ago = (realtime.tv_sec - stamp.tv_sec) * 1000000000ll + realtime.tv_nsec -
                      stamp.tv_nsec;
    came->low = before - ago;  // the realtime was read between the two
    came->high = after - ago;
    return got;
}

static void print_list(int fd, const struct samples *of) {
    char *list = calloc(of->count + 1, 21), *end = list;
    for (size_t i = 0; i < of->count; i++)
        end += sprintf(end, "%s%llu", i ? "," : "", of->values[i]);
    dprintf(fd, "[%s]", list);
    free(list);
}

static void print_ends(int fd, const char *name, const struct truth *of) {
    dprintf(fd, "\"%s\":{\"low\":", name);
    print_list(fd, &of->low);
    dprintf(fd, ",\"high\":");
    print_list(fd, &of->high);
    dprintf(fd, "}");
}

static void print_truth(int fd) {
    dprintf(fd, "{");
    print_ends(fd, "ttft_ms", &true_ttft);
    dprintf(fd, ",");
    print_ends(fd, "gap_ms", &true_gaps);
    dprintf(fd, "}");
}

static void forget_truth(void) {
    true_ttft.low.count = true_ttft.high.count = true_gaps.low.count = true_gaps.high.count = 0;
}
