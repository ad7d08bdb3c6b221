// What the reference answers, in Ollama's words and in OpenAI's.
#include <stdbool.h>

#define OLLAMA "{\"model\":\"reference\",\"created_at\":\"2026-01-01T00:00:00.000000000Z\","
#define MESSAGE(content) "\"message\":{\"role\":\"assistant\",\"content\":\"" content "\"},"
#define DURATIONS                                                                                  \
    "\"done\":true,\"done_reason\":\"stop\",\"total_duration\":%llu,"                              \
    "\"load_duration\":1000000,\"prompt_eval_count\":26,\"prompt_eval_duration\":%llu,"            \
    "\"eval_count\":%d,\"eval_duration\":%llu}"
#define OPENAI(object, content, finish)                                                            \
    "{\"id\":\"1\",\"object\":\"chat.completion" object "\",\"created\":1,"                        \
    "\"model\":\"reference\",\"choices\":[{\"index\":0," content ",\"finish_reason\":" finish "}]"
#define USAGE ",\"usage\":{\"prompt_tokens\":26,\"completion_tokens\":%d,\"total_tokens\":%d}}"

static const struct dialect {
    const char *path, *kind;
    const char *token, *last;  // the lines of a stream
    const char *whole;         // all of the answer, where no stream is wanted
    bool ollama;               // streams unless told not to; OpenAI's only when asked
} dialects[] = {
    {
        .path = "/api/generate",
        .kind = "application/x-ndjson",
        .token = OLLAMA "\"response\":\" token\",\"done\":false}\n",
        .last = OLLAMA "\"response\":\"\"," DURATIONS "\n",
        .whole = OLLAMA "\"response\":\" token\"," DURATIONS,
        .ollama = true,
    },
    {
        .path = "/api/chat",
        .kind = "application/x-ndjson",
        .token = OLLAMA MESSAGE(" token") "\"done\":false}\n",
        .last = OLLAMA MESSAGE("") DURATIONS "\n",
        .whole = OLLAMA MESSAGE(" token") DURATIONS,
        .ollama = true,
    },
    {
        .path = "/v1/chat/completions",
        .kind = "text/event-stream",
        .token = "data: " OPENAI(".chunk", "\"delta\":{\"content\":\" token\"}", "null") "}\n\n",
        .last = "data: " OPENAI(".chunk", "\"delta\":{}", "\"stop\"") USAGE "\n\ndata: [DONE]\n\n",
        .whole = OPENAI("", "\"message\":{\"content\":\" token\"}", "\"stop\"") USAGE,
    },
};
