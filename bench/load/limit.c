// The practical limit: a client in C that reads as soon as it can, and knows only the reference.
//
//   gcc -O2 -o limit limit.c && ./limit 8080 --streams 64 --requests 192 --body '{"model":"m"}'
//
// Prints one JSON object: how many answers and lines, and the quantiles in ms, by its own clock or,
// with --kernel-stamps, by the time at which the kernel received the bytes.
// Not a load generator: it trusts the server's framing, and gives up at the first surprise.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "samples.h"

enum { EVENTS = 512, SILENT_MS = 60000 };

struct stream {
    int fd, lines;
    long body_left;  // of an answer with a length; -1: chunked, it ends with an empty chunk
    nanoseconds sent_at, last_at;
    char tail[5];
};

static struct samples ttft, gaps;
static int kernel_stamps;
static nanoseconds realtime_ahead;  // of the clock of now(): the stamps are realtime

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void ask(struct stream *stream, const char *request) {
    stream->lines = 0;
    stream->body_left = 0;
    memset(stream->tail, 0, sizeof stream->tail);
    stream->sent_at = now();
    if (send(stream->fd, request, strlen(request), MSG_NOSIGNAL) < 0) fail("send");
}

// Reads what is there; its time is now, or when the kernel had it, on the clock of now().
static ssize_t receive(int fd, char *data, size_t room, nanoseconds *at) {
    char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec place = {data, room};
    struct msghdr message = {.msg_iov = &place, .msg_iovlen = 1};
    if (!kernel_stamps) {
        ssize_t size = recv(fd, data, room, 0);
        *at = now();
        return size;
    }
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t size = recvmsg(fd, &message, 0);
    struct timespec stamp;
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    if (size <= 0 || !first) return size > 0 ? -1 : size;
    memcpy(&stamp, CMSG_DATA(first), sizeof stamp);
    *at = stamp.tv_sec * 1000000000ull + stamp.tv_nsec - realtime_ahead;
    return size;
}

// Counts the lines of one read; true when it ended the answer.
static int take(struct stream *stream, const char *data, ssize_t size, nanoseconds at) {
    const char *end = data + size, *body = data;
    if (!stream->lines && !stream->body_left) {
        const char *length = memmem(data, size, "Content-Length: ", 16);
        body = memmem(data, size, "\r\n\r\n", 4);
        if (!body) fail("a head in two reads");
        body += 4;
        stream->body_left = length ? atol(length + 16) : -1;
        record(&ttft, at - stream->sent_at);
    }
    if (stream->body_left > 0) return (stream->body_left -= end - body) == 0;
    for (const char *p = body; (p = memchr(p, '\n', end - p)); p++) {
        if (p == body || p[-1] != '}') continue;
        if (stream->lines++) record(&gaps, at - stream->last_at);
        stream->last_at = at;
    }
    size_t kept = size < 5 ? 5 - size : 0;  // the empty chunk can come in pieces
    memmove(stream->tail, stream->tail + 5 - kept, kept);
    memcpy(stream->tail + kept, end - (5 - kept), 5 - kept);
    return !memcmp(stream->tail, "0\r\n\r\n", 5);
}

int main(int count, char **words) {
    long streams = 1, requests = 1, asked = 0, answered = 0, lines = 0;
    const char *body = "{\"model\":\"reference\"}";
    static const struct option options[] = {
        {"streams", 1, NULL, 's'}, {"requests", 1, NULL, 'r'}, {"body", 1, NULL, 'b'},
        {"kernel-stamps", 0, &kernel_stamps, 1}, {0}};
    for (int option; (option = getopt_long(count, words, "", options, NULL)) != -1;)
        if (option == 's') streams = atol(optarg);
        else if (option == 'r') requests = atol(optarg);
        else if (option == 'b') body = optarg;
        else if (option) return 2;
    static char request[4096], data[262144];
    snprintf(request, sizeof request, "POST /api/generate HTTP/1.1\r\nHost: 127.0.0.1\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(words[optind]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timespec realtime;
    clock_gettime(CLOCK_REALTIME, &realtime);
    realtime_ahead = realtime.tv_sec * 1000000000ull + realtime.tv_nsec - now();
    int poller = epoll_create1(0), yes = 1;
    for (; asked < streams && asked < requests; asked++) {
        struct stream *stream = calloc(1, sizeof *stream);
        struct epoll_event event = {EPOLLIN, {.ptr = stream}};
        stream->fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        setsockopt(stream->fd, SOL_SOCKET, SO_TIMESTAMPNS, &kernel_stamps, sizeof kernel_stamps);
        if (connect(stream->fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
        epoll_ctl(poller, EPOLL_CTL_ADD, stream->fd, &event);
        ask(stream, request);
    }
    nanoseconds begun = now();
    for (struct epoll_event events[EVENTS]; answered < requests;) {
        int found = epoll_wait(poller, events, EVENTS, SILENT_MS);
        if (found <= 0) fail("the server is silent");
        for (int i = 0; i < found; i++) {
            struct stream *stream = events[i].data.ptr;
            nanoseconds at;
            ssize_t size = receive(stream->fd, data, sizeof data, &at);
            if (size <= 0) fail("an answer was cut");
            if (!take(stream, data, size, at)) continue;
            answered++;
            lines += stream->lines;
            if (asked++ < requests) ask(stream, request);
        }
    }
    printf("{\"requests\":%ld,\"lines\":%ld,\"duration_s\":%.6f,\"ttft_p99_ms\":%.6f,"
           "\"gap_p99_ms\":%.6f}\n", answered, lines, (now() - begun) / 1e9,
           quantile_ms(&ttft, 0.99), quantile_ms(&gaps, 0.99));
}
