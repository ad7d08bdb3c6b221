#!/usr/bin/env bash
# Ollama 0.34.2: a tool call disappears from the prompt when the assistant's text before it is in two parts.
#
# Guess: an assistant message with the content "Let me look." and a tool call, and the same with its content as
# a list of two text parts, give the same prompt. A template prints the call in both.
# Seen (github.com/ollama/ollama 0.34.2, its packages openai and template, Go 1.26): /v1/chat/completions makes
# one message of each part, and puts the tool call into the last. Before a template is executed, messages in a
# row with the same role are joined: their texts, and nothing else. The call is lost. The tool's answer stays,
# so the model reads an answer without its question. Two assistant messages in a row, the second with the call,
# lose it as well. There is no error. With the content as one string, or as one part, the call is there. This
# is for models with a TEMPLATE of Ollama. Those with a RENDERER do not use it.
# Matters to: people with agents on Ollama, whose client library sends content as parts: the model calls the
# tool again, or does not understand the answer, and the request that the client logs is complete.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS=-mod=mod

cat >go.mod <<'MOD'
module example.invalid/prompt

go 1.26

require github.com/ollama/ollama v0.34.2
MOD
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"os"

	"github.com/ollama/ollama/openai"
	"github.com/ollama/ollama/template"
)

const each = `{{ range .Messages }}{{ .Role }}: {{ .Content }}{{ range .ToolCalls }} CALL {{ .Function.Name }}{{ end }}
{{ end }}`

// main prints the prompt for an OpenAI request on standard input.
func main() {
	var asked openai.ChatCompletionRequest
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	request, err := openai.FromChatRequest(asked)
	if err != nil {
		panic(err)
	}
	parsed, err := template.Parse(each)
	if err != nil {
		panic(err)
	}
	if err := parsed.Execute(os.Stdout, template.Values{Messages: request.Messages}); err != nil {
		panic(err)
	}
}
GO
go build -o prompt . 2>go.log || { cat go.log; exit 1; }

call='"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "pods", "arguments": "{}"}}]'
part() { echo "{\"type\": \"text\", \"text\": \"$1\"}"; }
# print the prompt for the assistant's messages in $1, between a question and the tool's answer
prompt() {
    echo "{\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": \"How many Pods?\"}, $1,
        {\"role\": \"tool\", \"tool_call_id\": \"c1\", \"content\": \"3\"}]}" | ./prompt
}
seen=""
while IFS='|' read -r name messages; do
    text=$(prompt "$messages")
    printf '%s\n%s\n\n' "--- $name" "$text"
    grep -q '^tool: 3$' <<<"$text"
    if grep -q 'CALL pods' <<<"$text"; then seen+="call "; else seen+="lost "; fi
done <<WAYS
one string|{"role": "assistant", "content": "Let me look.", $call}
one part|{"role": "assistant", "content": [$(part "Let me look.")], $call}
two parts|{"role": "assistant", "content": [$(part "Let me look."), $(part "One moment.")], $call}
two messages|{"role": "assistant", "content": "Let me look."}, {"role": "assistant", "content": null, $call}
WAYS
if [ "$seen" = "call call lost lost " ]; then
    echo "as found: with two parts or two messages the call is not in the prompt"
else
    echo "it has changed: $seen"
    exit 1
fi
