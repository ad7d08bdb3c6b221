// The load engine's reference: a server that streams like Ollama, and like OpenAI for the peers
// that speak only that, at a set pace, and knows when it truly wrote each line.
//
//   gcc -O2 -o reference reference.c && ./reference --first-us 50000 --gap-us 20000 8080
//
// POST /api/generate, /api/chat, /v1/chat/completions   as those servers answer
// GET  /reference/stats      how many, and the true times since the last reset, in milliseconds
// GET  /reference/times      the times between its writes, and from the kernel's receipt of each
//                            request to its first: low and high ends, in nanoseconds
// GET  /reference/arrivals   when each request was read, in nanoseconds of CLOCK_MONOTONIC
// GET  /reference/reset      forget the above
//
// --spread: streams begin up to a gap later, each by a part of its own, as those of many users
// would. Else the client decides when lines are due: one that asks with all its streams in a
// moment gets their lines in bursts, and reads several for each time it is woken.
//
// One thread, one epoll, loopback only. All streams have the same delays, so whoever is put at the
// end of a queue is due last: lists are enough, and only a spread start looks for its place.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answers.h"
#include "samples.h"
#include "truth.h"

enum { BUFFER = 16384, MOST_LINES = 64, EVENTS = 512 };
enum { DIALECTS = sizeof dialects / sizeof *dialects };

struct connection {
    int fd;                         // -1: closed, freed by whoever takes it from its queue
    bool queued, last_answer;
    nanoseconds later;              // its part of the spread
    const struct dialect *dialect;  // NULL: no answer is under way
    int lines;                      // written of this answer
    nanoseconds read_at, due, wrote_at;
    struct span came, wrote;  // the request to the kernel, and the latest line
    struct connection *next;
    size_t in_length, out_length, out_sent;
    char in[BUFFER], out[BUFFER];
};

static struct queue {
    struct connection *first, *last;
    size_t length;
} waiting_first, waiting_gap, ready;

// The line of each dialect that it sends most, ready to be sent: the server is not to be the limit.
static struct chunk {
    char text[512];
    size_t length;
} chunks[DIALECTS];

static struct samples ttft, gaps, arrivals;
static int tokens = 64, lines_per_write = 1, spread, poller;
static nanoseconds first_delay, gap_delay, lines_written;

static void enqueue(struct queue *queue, struct connection *connection) {
    connection->next = NULL;
    connection->queued = true;
    if (queue->last) queue->last->next = connection;
    else queue->first = connection;
    queue->last = connection;
    queue->length++;
}

// Puts it before those that are due later: the queue of first lines only, when streams are spread.
static void enqueue_by_due(struct queue *queue, struct connection *connection) {
    struct connection **place = &queue->first;
    while (*place && (*place)->due <= connection->due) place = &(*place)->next;
    connection->next = *place;
    *place = connection;
    if (!connection->next) queue->last = connection;
    connection->queued = true;
    queue->length++;
}

static struct connection *dequeue(struct queue *queue) {
    struct connection *connection = queue->first;
    queue->first = connection->next;
    if (!queue->first) queue->last = NULL;
    connection->queued = false;
    queue->length--;
    return connection;
}

static void hang_up(struct connection *connection) {
    if (connection->fd >= 0) close(connection->fd);
    connection->fd = -1;
    if (!connection->queued) free(connection);
}

static void add(struct connection *to, const char *text) {
    to->out_length += sprintf(to->out + to->out_length, "%s", text);
}

// One line as an HTTP chunk of its own, as Ollama's server flushes them; gives its length.
static size_t write_chunk(char *to, const char *line) {
    return sprintf(to, "%zx\r\n%s\r\n", strlen(line), line);
}

static void fill_in(const struct connection *of, const char *format, char *line) {
    nanoseconds total = now() - of->read_at;
    nanoseconds evaluated = total > first_delay ? total - first_delay : 1;
    if (of->dialect->ollama)
        sprintf(line, format, total, first_delay, tokens, evaluated);
    else
        sprintf(line, format, tokens, tokens + 26);
}

static void add_whole(struct connection *to, const char *body) {
    to->out_length += sprintf(to->out + to->out_length,
                              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                              "Content-Length: %zu\r\n\r\n%s",
                              strlen(body), body);
}

// Sends what is waiting; false when the other side is gone. What does not fit waits for EPOLLOUT.
static bool flush(struct connection *connection) {
    while (connection->out_sent < connection->out_length) {
        ssize_t sent = send(connection->fd, connection->out + connection->out_sent,
                            connection->out_length - connection->out_sent, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN;
        connection->out_sent += sent;
    }
    connection->out_sent = connection->out_length = 0;
    return true;
}

static bool take_requests(struct connection *connection);

// Writes the next line or lines of an answer, and notes the time just before they leave.
static bool write_lines(struct connection *connection) {
    char last[1024];
    const struct chunk *chunk = chunks + (connection->dialect - dialects);
    bool first = !connection->lines, done = false;
    if (first)
        connection->out_length = sprintf(connection->out,
                                         "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
                                         "Transfer-Encoding: chunked\r\n\r\n",
                                         connection->dialect->kind);
    for (int i = 0; i < lines_per_write && !done; i++) {
        done = connection->lines++ == tokens;
        if (done) fill_in(connection, connection->dialect->last, last);
        char *to = connection->out + connection->out_length;
        if (!done) memcpy(to, chunk->text, chunk->length);
        connection->out_length += done ? write_chunk(to, last) : chunk->length;
        lines_written++;
    }
    if (done) add(connection, "0\r\n\r\n");
    nanoseconds at = now();
    record(first ? &ttft : &gaps, at - (first ? connection->read_at : connection->wrote_at));
    connection->wrote_at = at;
    bool sent = flush(connection);
    struct span wrote = {at, now()};
    if (!done)  // the last line has no token
        record_between(first ? &true_ttft : &true_gaps, first ? connection->came : connection->wrote,
                       wrote);
    connection->wrote = wrote;
    if (!sent) return false;
    if (done) {
        connection->dialect = NULL;
        return !(connection->last_answer && !connection->out_length) && take_requests(connection);
    }
    connection->due += gap_delay;
    if (!connection->out_length) enqueue(gap_delay ? &waiting_gap : &ready, connection);
    return true;
}

static int quantiles(char *to, const char *name, struct samples *of) {
    double p50 = quantile_ms(of, 0.5), p99 = quantile_ms(of, 0.99), max = quantile_ms(of, 1);
    return sprintf(to, ",\"%s\":{\"count\":%zu,\"p50\":%.6f,\"p99\":%.6f,\"max\":%.6f}", name,
                   of->count, p50, p99, max);
}

// The times of all arrivals or lines: can be large, so it is written in one go, on a socket that blocks.
static void list_times(struct connection *to, bool of_arrivals) {
    fcntl(to->fd, F_SETFL, 0);
    dprintf(to->fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    if (of_arrivals) print_list(to->fd, &arrivals);
    else print_truth(to->fd);
    to->last_answer = true;
}

static void answer_about_itself(struct connection *to, const char *path) {
    char text[1024] = "{\"models\":[{\"name\":\"reference\"}],\"data\":[{\"id\":\"reference\"}]}";
    if (!strncmp(path, "/reference/arrivals", 19)) return list_times(to, true);
    if (!strncmp(path, "/reference/times", 16)) return list_times(to, false);
    if (!strncmp(path, "/reference/reset", 16)) {
        ttft.count = gaps.count = arrivals.count = lines_written = 0;
        forget_truth();
    }
    if (!strncmp(path, "/reference/stats", 16)) {
        int length =
            sprintf(text, "{\"requests\":%zu,\"lines\":%llu", arrivals.count, lines_written);
        length += quantiles(text + length, "ttft_ms", &ttft);
        length += quantiles(text + length, "gap_ms", &gaps);
        strcpy(text + length, "}");
    }
    add_whole(to, text);
}

static void begin_answer(struct connection *connection, const char *path, const char *body) {
    connection->read_at = now();
    for (int i = 0; i < DIALECTS; i++)
        if (!strncmp(path, dialects[i].path, strlen(dialects[i].path)))
            connection->dialect = dialects + i;
    if (!connection->dialect) {
        answer_about_itself(connection, path);
        return;
    }
    record(&arrivals, connection->read_at);
    const char *asked = strstr(body, "\"stream\"");
    if (asked) asked += strspn(asked + 8, " :") + 8;
    connection->lines = 0;
    if (connection->dialect->ollama ? !asked || *asked != 'f' : asked && *asked == 't') {
        connection->due = connection->read_at + first_delay + connection->later;
        if (!first_delay && !gap_delay) enqueue(&ready, connection);
        else if (spread) enqueue_by_due(&waiting_first, connection);
        else enqueue(&waiting_first, connection);
    } else {
        char whole[1024];
        fill_in(connection, connection->dialect->whole, whole);
        add_whole(connection, whole);
        connection->dialect = NULL;
    }
}

// Begins the answers to all whole requests; false when the connection is to be closed.
static bool take_requests(struct connection *connection) {
    while (!connection->dialect && !connection->out_length) {
        connection->in[connection->in_length] = 0;
        char *head_end = strstr(connection->in, "\r\n\r\n");
        if (!head_end) return connection->in_length < BUFFER - 1;
        *head_end = 0;
        const char *length = strcasestr(connection->in, "\r\ncontent-length:");
        size_t head = head_end + 4 - connection->in;
        size_t whole = head + (length ? strtoul(length + 17, NULL, 10) : 0);
        const char *path = strchr(connection->in, ' ');
        connection->last_answer = strcasestr(connection->in, "\r\nconnection: close");
        *head_end = '\r';
        if (!path || whole >= BUFFER) return false;
        if (connection->in_length < whole) return true;
        char behind = connection->in[whole];
        connection->in[whole] = 0;
        begin_answer(connection, path + 1, connection->in + head);
        connection->in[whole] = behind;
        connection->in_length -= whole;
        memmove(connection->in, connection->in + whole, connection->in_length);
        if (!connection->dialect && (!flush(connection) || connection->last_answer)) return false;
    }
    return true;
}

static bool read_and_write(struct connection *connection, unsigned events) {
    if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) return false;
    for (;;) {  // edge-triggered: to the end
        size_t room = BUFFER - 1 - connection->in_length;
        ssize_t got = receive(connection->fd, connection->in + connection->in_length, room,
                              connection->wrote.high, &connection->came);
        if (got < 0 && errno == EAGAIN) break;
        if (got <= 0) return false;
        connection->in_length += got;
        if (!take_requests(connection)) return false;
    }
    if (!connection->out_length) return true;
    if (!flush(connection)) return false;
    if (connection->out_length) return true;
    if (!connection->dialect) return !connection->last_answer && take_requests(connection);
    if (!connection->queued) enqueue(&ready, connection);  // its reader had been too slow
    return true;
}

static void accept_all(int listener) {
    int yes = 1;
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        struct connection *connection = calloc(1, sizeof *connection);
        connection->fd = fd;
        // multiples of the golden ratio fill the gap evenly, however many there are
        static uint32_t part;
        connection->later = spread ? ((part += 2654435769u) * gap_delay) >> 32 : 0;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
        struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = connection}};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

static void write_next(struct queue *queue) {
    struct connection *connection = dequeue(queue);
    if (connection->fd < 0 || !write_lines(connection)) hang_up(connection);
}

// The queue whose head is due first; NULL when nobody waits for a time.
static struct queue *earliest(void) {
    if (!waiting_first.first) return waiting_gap.first ? &waiting_gap : NULL;
    if (!waiting_gap.first) return &waiting_first;
    return waiting_first.first->due < waiting_gap.first->due ? &waiting_first : &waiting_gap;
}

static int listen_on(int port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(listener, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);  // so early that the kernel stamps the first request
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("reference");
        exit(1);
    }
    return listener;
}

int main(int count, char **words) {
    static const struct option options[] = {
        {"tokens", 1, NULL, 't'}, {"first-us", 1, NULL, 'f'}, {"gap-us", 1, NULL, 'g'},
        {"lines-per-write", 1, NULL, 'l'}, {"spread", 0, NULL, 's'}, {0}};
    for (int option; (option = getopt_long(count, words, "", options, NULL)) != -1;) {
        if (option == 't') tokens = atoi(optarg);
        else if (option == 'f') first_delay = atoll(optarg) * 1000;
        else if (option == 'g') gap_delay = atoll(optarg) * 1000;
        else if (option == 'l') lines_per_write = atoi(optarg);
        else if (option == 's') spread = 1;
        else return 2;
    }
    if (optind != count - 1 || tokens < 1 || lines_per_write < 1 || lines_per_write > MOST_LINES) {
        fprintf(stderr, "usage: reference [--tokens N] [--first-us N] [--gap-us N]"
                        " [--lines-per-write 1-64] [--spread] PORT\n");
        return 2;
    }
    for (int i = 0; i < DIALECTS; i++)
        chunks[i].length = write_chunk(chunks[i].text, dialects[i].token);
    prctl(PR_SET_TIMERSLACK, 1);       // else the kernel wakes it up to 50 us late
    prctl(PR_SET_PDEATHSIG, 15);       // a killed bench leaves no server behind
    int listener = listen_on(atoi(words[optind]));
    poller = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.ptr = NULL}}, events[EVENTS];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        struct queue *due = earliest();
        nanoseconds at = now(), wait = due && due->first->due > at ? due->first->due - at : 0;
        if (ready.first) wait = 0;
        struct timespec timeout = {wait / 1000000000, wait % 1000000000};
        bool wait_for_ever = !due && !ready.first;
        int found = epoll_pwait2(poller, events, EVENTS, wait_for_ever ? NULL : &timeout, NULL);
        for (int i = 0; i < found; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!connection) accept_all(listener);
            else if (!read_and_write(connection, events[i].events)) hang_up(connection);
        }
        for (size_t turns = ready.length; turns; turns--) write_next(&ready);
        for (due = earliest(); due && due->first->due <= now(); due = earliest()) write_next(due);
    }
}
