# Builds the component, and runs it on the sample events, as a host would: `sh test.sh`.

set -eu
cd "$(dirname "$0")"
hookmill plugin build -o {{name}}.wasm

# Runs it on an event. Each further argument has to stand in what comes of it.
check() {
  event=$1
  shift
  came=$(hookmill plugin run {{name}}.wasm --json --event "events/$event.json" 2>&1) || true
  for expected; do
    case $came in
      *"$expected"*) printf '%s: ok: %s\n' "$event" "$expected" ;;
      *)
        printf '%s: FAILED: expected %s\n  but this came: %s\n' "$event" "$expected" "$came" >&2
        status=1
        ;;
    esac
  done
}

status=0
check document_predict '"outcome":"deliver"' '"body":"{\"document\": \"5e7a0daf255bf93741177061\", \"total\": 152.11}"'
check document_text '"outcome":"skip"' '"reason":"document_text has no total"'
exit $status
